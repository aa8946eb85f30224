"""Registration, login and users."""

from typing import Any

from marshmallow import fields

from decabilld.http.schemas.base import Answer, Request
from decabilld.http.schemas.fields import Email, Flag, Id, Instant, Matching, Password, Role, Text

SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 128


class NewPassword(Password):
    """One that is chosen now; those that were chosen elsewhere may be shorter or longer."""

    def __init__(self, **more: Any) -> None:
        super().__init__(shortest=SHORTEST_PASSWORD, longest=LONGEST_PASSWORD, **more)


class LoginDtoSchema(Request):
    email = Email(required=True)
    password = Password(required=True)


class RegisterDtoSchema(Request):
    email = Email(required=True)
    password = NewPassword(required=True)


class Code(Matching):
    """As it was sent."""

    def __init__(self, **more: Any) -> None:
        super().__init__(r"^[A-Z0-9]{6}$", "Not a code of six letters and digits.", **more)


class ConfirmEmailDtoSchema(Request):
    email = Email(required=True)
    code = Code(required=True)


class RequestPasswordResetDtoSchema(Request):
    email = Email(required=True)


class ResetPasswordDtoSchema(Request):
    email = Email(required=True)
    code = Code(required=True)
    new_password = NewPassword(required=True)


class ChangePasswordDtoSchema(Request):
    current_password = Password(required=True)
    new_password = NewPassword(required=True)
    new_password_confirmation = NewPassword(required=True)


class LogoutDtoSchema(Request):
    invalidate_all_sessions = Flag(load_default=False)


class CreateUserDtoSchema(Request):
    email = Email(required=True)
    password = NewPassword(required=True)
    role = Role(load_default="user")


class UpdateUserDtoSchema(Request):
    email = Email()
    password = NewPassword()
    role = Role()


class UserResponseSchema(Answer):
    id = Id()
    email = Email()
    role = Role()
    email_confirmed_at = Instant(allow_none=True)
    locked_at = Instant(allow_none=True)
    created_at = Instant()
    updated_at = Instant()


class LoginResponseSchema(Answer):
    access_token = Text(8192, data_key="access_token")
    user = fields.Nested(UserResponseSchema)


class RegisterResponseSchema(Answer):
    user = fields.Nested(UserResponseSchema)
    message = Text()
