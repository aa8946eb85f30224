"""Users on the wire."""

from decabilld.domain.entities import User
from decabilld.http.views.wire import instant, instant_or_none
from decabilld.messages.replies import Registered


def user_view(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "email": user.email,
        "role": user.role,
        "emailConfirmedAt": instant_or_none(user.email_confirmed_at),
        "lockedAt": instant_or_none(user.locked_at),
        "createdAt": instant(user.created_at),
        "updatedAt": instant(user.updated_at),
    }


def registered_view(registered: Registered) -> dict[str, object]:
    if registered.needs_confirmation:
        message = "Registered. Please confirm your e-mail address with the code that was sent to it."
    else:
        message = "Registered. You are this tenant's administrator and can log in now."
    return {"user": user_view(registered.user), "message": message}
