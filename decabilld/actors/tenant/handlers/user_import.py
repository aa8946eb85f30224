"""Users who come from elsewhere, many at a time."""

from msgspec.structs import replace

from decabilld.actors.tenant.handlers.users import email_key, new_user
from decabilld.actors.tenant.indexes import USER_BY_EMAIL
from decabilld.actors.tenant.state import TenantState
from decabilld.messages.commands import ImportUsers
from decabilld.messages.decision import Context, Decision, Entry
from decabilld.messages.replies import UsersImported


def import_users(state: TenantState, command: ImportUsers, context: Context) -> Decision:
    """Who has an account keeps it: it may have changed since it was exported, and a second import changes nothing."""
    made = {}
    for given in command.users:
        key = email_key(given.email)
        if key in made or state.first(USER_BY_EMAIL, key) is not None:
            continue
        user = new_user(given.email, given.password_hash, context)
        made[key] = replace(user, role=given.role, email_confirmed_at=given.email_confirmed_at)
    users = tuple(made.values())
    return Decision(
        reply=UsersImported(created=len(users), known=len(command.users) - len(users)),
        changes=users,
        entries=tuple(
            Entry(kind="user.imported", message=f"User imported as {user.role}", entity=user, user_id=user.id)
            for user in users
        ),
    )
