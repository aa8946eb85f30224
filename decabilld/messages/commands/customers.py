"""Whom invoices are addressed to."""

from typing import Any

from decabilld.domain.entities import Id
from decabilld.messages.decision import Command


class UpdateCustomerProfile(Command, frozen=True, kw_only=True):
    """Creates the profile when there is none, unless `profile_id` names one that must be there."""

    user_id: Id
    fields: dict[str, Any]
    profile_id: Id | None = None


class CreateCustomerProfile(Command, frozen=True, kw_only=True):
    """By an admin: of somebody who has none yet."""

    user_id: Id
    fields: dict[str, Any]


class DeleteCustomerProfile(Command, frozen=True, kw_only=True):
    """Only of somebody without invoices and subscriptions. `invoices` are those that the database has."""

    profile_id: Id
    invoices: int
