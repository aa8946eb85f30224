"""Accounts for the command line, by the very rules of registering: in the daemon, or without one in a bare tenant."""

from collections.abc import Container

from marshmallow import ValidationError

from decabilld.control.accounts import Accounts, Asks
from decabilld.domain.refusals import Invalid
from decabilld.http.passwords import Passwords
from decabilld.http.schemas.identity import RegisterDtoSchema


class _RulesOfRegistering:
    def __init__(self) -> None:
        self._fields = RegisterDtoSchema().fields

    def email(self, email: str) -> None:
        self._check("email", email)

    def password(self, password: str) -> None:
        self._check("password", password)

    def _check(self, name: str, given: str) -> None:
        try:
            self._fields[name].deserialize(given)
        except ValidationError as error:
            raise Invalid(f"{name}: {' '.join(str(message) for message in error.messages)}") from None


def accounts_of(tenants: Asks, tenant_ids: Container[str], passwords: Passwords) -> Accounts:
    return Accounts(tenants, tenant_ids, checks=_RulesOfRegistering(), hash_password=passwords.hash_password)
