"""Who may come in, and what becomes of their access."""

from datetime import datetime

from msgspec import Struct

from decabilld.domain.entities import Id, Role
from decabilld.messages.decision import Command


class RegisterUser(Command, frozen=True, kw_only=True):
    """Sign up. `password_hash` is argon2id's, `code_digest` the keyed digest of the code that confirms the address."""

    email: str
    password_hash: str
    code_digest: str
    code_expires_at: datetime
    sealed_code: str | None = None
    """For the mail; None: whoever asks tells the code otherwise."""


class ConfirmEmail(Command, frozen=True, kw_only=True):
    email: str
    code_digest: str


class CreateUser(Command, frozen=True, kw_only=True):
    """By an admin: confirmed at once."""

    email: str
    password_hash: str
    role: Role = "user"


class UpdateUser(Command, frozen=True, kw_only=True):
    """By an admin; None leaves it as it is. Another password or role ends the user's sessions."""

    user_id: Id
    email: str | None = None
    password_hash: str | None = None
    role: Role | None = None


class LockUser(Command, frozen=True, kw_only=True):
    user_id: Id


class UnlockUser(Command, frozen=True, kw_only=True):
    user_id: Id


class DeleteUser(Command, frozen=True, kw_only=True):
    """Only of somebody whom nothing is kept for. `invoices` are those that the database has."""

    user_id: Id
    invoices: int


class RequestPasswordReset(Command, frozen=True, kw_only=True):
    """Reply: the User whom the code is told, or None. An unknown address costs the same work."""

    email: str
    code_digest: str
    code_expires_at: datetime
    sealed_code: str | None = None


class ResetPassword(Command, frozen=True, kw_only=True):
    email: str
    code_digest: str
    password_hash: str


class ChangePassword(Command, frozen=True, kw_only=True):
    """By the user. `known_hash` is what the current password was verified against."""

    user_id: Id
    known_hash: str
    password_hash: str


class RenewPasswordHash(Command, frozen=True, kw_only=True):
    """The same password, hashed as we do now; ends no session."""

    user_id: Id
    known_hash: str
    password_hash: str


class EndSession(Command, frozen=True, kw_only=True):
    user_id: Id
    token_id: Id
    expires_at: datetime


class EndAllSessions(Command, frozen=True, kw_only=True):
    user_id: Id


class AdmitSubject(Command, frozen=True, kw_only=True):
    """Whom an identity provider vouches for, at first sight or under a new address. Reply: the User.

    `link_id` is made of issuer and subject. A verified address that a user has already makes the subject that user.
    """

    link_id: Id
    email: str
    email_verified: bool


class ImportedUser(Struct, frozen=True, kw_only=True):
    """Somebody who comes from elsewhere with the hash of their password; argon2's or bcrypt's."""

    email: str
    password_hash: str
    role: Role = "user"
    email_confirmed_at: datetime | None = None


class ImportUsers(Command, frozen=True, kw_only=True):
    """By the operator. An address that has an account keeps it as it is. Reply: UsersImported."""

    users: tuple[ImportedUser, ...]
