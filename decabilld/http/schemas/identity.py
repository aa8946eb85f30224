"""Registration, login and users."""

from marshmallow import fields

from decabilld.http.schemas.base import Answer, Request
from decabilld.http.schemas.fields import Email, Id, Instant, Matching, Password, Role, Text

SHORTEST_PASSWORD = 8


class LoginDtoSchema(Request):
    email = Email(required=True)
    password = Password(required=True)


class RegisterDtoSchema(Request):
    email = Email(required=True)
    password = Password(required=True, shortest=SHORTEST_PASSWORD)


class ConfirmEmailDtoSchema(Request):
    email = Email(required=True)
    code = Matching(r"^[A-Z0-9]{6}$", "Not a code of six letters and digits.", required=True)


class CreateUserDtoSchema(Request):
    email = Email(required=True)
    password = Password(required=True, shortest=SHORTEST_PASSWORD)
    role = Role(load_default="user")


class UserResponseSchema(Answer):
    id = Id()
    email = Email()
    role = Role()
    email_confirmed_at = Instant(allow_none=True)
    created_at = Instant()
    updated_at = Instant()


class LoginResponseSchema(Answer):
    access_token = Text(8192, data_key="access_token")
    user = fields.Nested(UserResponseSchema)


class RegisterResponseSchema(Answer):
    user = fields.Nested(UserResponseSchema)
    message = Text()
