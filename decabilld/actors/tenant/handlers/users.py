"""Users as others make and change them: an admin, or an identity provider that vouches for somebody."""

from typing import get_args

from msgspec.structs import replace

from decabilld.actors.tenant.handlers.notices import address_of
from decabilld.actors.tenant.handlers.processor_customers import with_address_told
from decabilld.actors.tenant.indexes import (
    ADMINS,
    INVOICES_OF_USER,
    POSITIONS_OF_USER,
    PROFILE_OF_USER,
    SUBSCRIPTIONS_OF_USER,
    USER_BY_EMAIL,
)
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import CodePurpose, CustomerProfile, Entity, Id, LinkedSubject, OneTimeCode, User
from decabilld.domain.ids import id_of
from decabilld.domain.periods import local_date
from decabilld.domain.refusals import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from decabilld.messages.commands import AdmitSubject, CreateUser, DeleteUser, LockUser, UnlockUser, UpdateUser
from decabilld.messages.decision import Context, Decision, Entry

BILLING_DAY_LAST = 28


def email_key(email: str) -> str:
    """How addresses are compared: without case, and no further; to casefold() ß is ss, which are two domains."""
    return email.strip().lower()


def new_user(email: str, password_hash: str | None, context: Context) -> User:
    return User(
        id=context.new_id(),
        email=email.strip(),
        email_key=email_key(email),
        password_hash=password_hash,
        billing_day=min(local_date(context.now, context.policy.zone).day, BILLING_DAY_LAST),
        created_at=context.now,
        updated_at=context.now,
    )


def user_of(state: TenantState, user_id: Id) -> User:
    """The live user. Raises NotFound."""
    user = state.get(User, user_id)
    if user is None or not user.live:
        raise NotFound("User")
    return user


def without_sessions(user: User, context: Context) -> User:
    """The user, every token of whom counts no more."""
    return replace(user, token_version=user.token_version + 1, updated_at=context.now)


def voided_codes(state: TenantState, user: User, context: Context) -> list[OneTimeCode]:
    """What was sent to the user's mailbox so far opens nothing any more."""
    codes = (state.get(OneTimeCode, id_of(user.id, purpose)) for purpose in get_args(CodePurpose))
    return [replace(code, used_at=context.wall) for code in codes if code is not None and code.live]


def create_user(state: TenantState, command: CreateUser, context: Context) -> Decision:
    """By an admin: confirmed at once."""
    _check_free(state, command.email)
    user = replace(
        new_user(command.email, command.password_hash, context), role=command.role, email_confirmed_at=context.now
    )
    entry = Entry(kind="user.created", message=f"User created as {user.role}", entity=user, user_id=user.id)
    return Decision(reply=user, changes=(user,), entries=(entry,))


def update_user(state: TenantState, command: UpdateUser, context: Context) -> Decision:
    """The journal names what was changed, not to what. Another password or role ends the user's sessions; codes count
    for the address and the password that there were."""
    user = user_of(state, command.user_id)
    email = user.email if command.email is None else command.email.strip()
    role = command.role or user.role
    if email_key(email) != user.email_key:
        _check_free(state, email)
    if role != user.role:
        _check_other_admin(state, user, "demoted")
    changed = replace(
        without_sessions(user, context) if command.password_hash or role != user.role else user,
        email=email,
        email_key=email_key(email),
        password_hash=command.password_hash or user.password_hash,
        role=role,
        updated_at=context.now,
    )
    fields = [name for name in ("email", "password_hash", "role") if getattr(changed, name) != getattr(user, name)]
    outdated = changed.email_key != user.email_key or command.password_hash is not None
    codes = voided_codes(state, user, context) if outdated else []
    entry = Entry(
        kind="user.updated", message="User updated", entity=changed, user_id=user.id, data={"fields": sorted(fields)}
    )
    decision = Decision(reply=changed, changes=(changed, *codes), entries=(entry,))
    return with_address_told(state, decision, user.id, context, known=address_of(state, user.id))


def lock_user(state: TenantState, command: LockUser, context: Context) -> Decision:
    """Locked twice is locked. Sessions don't come back with an unlock."""
    user = user_of(state, command.user_id)
    if context.who == f"user:{user.id}":
        raise Invalid("You can't lock yourself")
    if user.locked_at is not None:
        return Decision(reply=user)
    _check_other_admin(state, user, "locked")
    changed = replace(without_sessions(user, context), locked_at=context.now)
    entry = Entry(kind="user.locked", message="User locked", entity=changed, user_id=user.id)
    return Decision(reply=changed, changes=(changed,), entries=(entry,))


def unlock_user(state: TenantState, command: UnlockUser, context: Context) -> Decision:
    user = user_of(state, command.user_id)
    if user.locked_at is None:
        return Decision(reply=user)
    changed = replace(user, locked_at=None, updated_at=context.now)
    entry = Entry(kind="user.unlocked", message="User unlocked", entity=changed, user_id=user.id)
    return Decision(reply=changed, changes=(changed,), entries=(entry,))


def delete_user(state: TenantState, command: DeleteUser, context: Context) -> Decision:
    """Address, password and profile are gone; the bare row stays, for what the journal says of it."""
    user = user_of(state, command.user_id)
    _check_other_admin(state, user, "deleted")
    held = {
        "subscription": state.count(SUBSCRIPTIONS_OF_USER, user.id) + state.ended.get(user.id, 0),
        "invoice": max(state.count(INVOICES_OF_USER, user.id), command.invoices),
        "open position": state.count(POSITIONS_OF_USER, user.id),
    }
    if any(held.values()):
        counted = ", ".join(f"{count} {what}{'s' if count > 1 else ''}" for what, count in held.items() if count)
        raise Invalid(f"This user can't be deleted: there are {counted}. Lock the user instead")
    gone = replace(without_sessions(user, context), email="", email_key="", password_hash=None, deleted_at=context.now)
    changes: list[Entity] = [gone]
    profile = state.first(PROFILE_OF_USER, user.id)
    if profile is not None:
        changes.append(
            CustomerProfile(id=profile.id, user_id=user.id, created_at=profile.created_at, updated_at=context.now)
        )
    changes += voided_codes(state, user, context)
    entry = Entry(kind="user.deleted", message="User deleted", entity=gone, user_id=user.id)
    return Decision(reply=gone, changes=tuple(changes), entries=(entry,))


def admit_subject(state: TenantState, command: AdmitSubject, context: Context) -> Decision:
    """Somebody known, somebody known by another way in, or a new user; the first of a tenant is its admin."""
    known = state.get(LinkedSubject, command.link_id)
    of_address = state.first(USER_BY_EMAIL, email_key(command.email))
    if known is not None:
        user = state.get(User, known.user_id)
        if user is None or not user.live:
            raise Unauthenticated("This user was deleted")
        decision = _readdressed(user, of_address, command, context)
        return with_address_told(state, decision, user.id, context, known=address_of(state, user.id))
    if of_address is not None:
        # Only who has proven the address may become whoever has it here.
        if not command.email_verified:
            raise Forbidden("This e-mail address belongs to another user, and isn't verified")
        entry = Entry(kind="user.linked", message="User linked to an identity provider's", entity=of_address,
                      user_id=of_address.id)  # fmt: skip
        return Decision(reply=of_address, changes=(_link(command, of_address, context),), entries=(entry,))
    user = replace(
        new_user(command.email, None, context),
        role="user" if state.all(User) else "admin",
        email_confirmed_at=context.now,
    )
    entry = Entry(kind="user.admitted", message=f"User admitted as {user.role}", entity=user, user_id=user.id)
    return Decision(reply=user, changes=(user, _link(command, user, context)), entries=(entry,))


def _link(command: AdmitSubject, user: User, context: Context) -> LinkedSubject:
    return LinkedSubject(id=command.link_id, user_id=user.id, created_at=context.now)


def _readdressed(user: User, of_address: User | None, command: AdmitSubject, context: Context) -> Decision:
    """The user under the address that the provider has now, unless somebody else has it here."""
    if of_address is not None or email_key(command.email) == user.email_key:
        return Decision(reply=user)
    changed = replace(user, email=command.email.strip(), email_key=email_key(command.email), updated_at=context.now)
    entry = Entry(kind="user.updated", message="User updated", entity=changed, user_id=user.id,
                  data={"fields": ["email"]})  # fmt: skip
    return Decision(reply=changed, changes=(changed,), entries=(entry,))


def _check_free(state: TenantState, email: str) -> None:
    if state.first(USER_BY_EMAIL, email_key(email)) is not None:
        raise Conflict("This e-mail address is already registered")


def _check_other_admin(state: TenantState, user: User, what: str) -> None:
    """Somebody must be left who can administer the tenant."""
    if user.role != "admin":
        return
    others = (one for one in state.each(ADMINS, "admin") if one.id != user.id and one.locked_at is None)
    if next(others, None) is None:
        raise Invalid(f"The last administrator can't be {what}")
