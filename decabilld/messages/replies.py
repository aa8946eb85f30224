"""Replies that are more than one entity."""

from msgspec import Struct

from decabilld.domain.entities import User


class Registered(Struct, frozen=True, kw_only=True):
    """`needs_confirmation`: a code is on its way and the account waits for it."""

    user: User
    needs_confirmation: bool


class UsersImported(Struct, frozen=True, kw_only=True):
    """How many accounts were made, and how many addresses had one already."""

    created: int
    known: int
