"""What is sold."""

from typing import Any

from decabilld.domain.entities import Id
from decabilld.messages.decision import Command


class CreateServiceType(Command, frozen=True, kw_only=True):
    fields: dict[str, Any]


class UpdateServiceType(Command, frozen=True, kw_only=True):
    service_type_id: Id
    fields: dict[str, Any]


class DeleteServiceType(Command, frozen=True, kw_only=True):
    service_type_id: Id


class CreateServicePlan(Command, frozen=True, kw_only=True):
    fields: dict[str, Any]


class UpdateServicePlan(Command, frozen=True, kw_only=True):
    plan_id: Id
    fields: dict[str, Any]


class DeleteServicePlan(Command, frozen=True, kw_only=True):
    plan_id: Id
