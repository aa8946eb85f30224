"""A small world to break into: customers, servers and catalogs of two tenants, and what a client might send anywhere.

Everything of the victim's carries a marker; whoever may not see it must not meet the marker anywhere.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

from marshmallow import Schema
from marshmallow import fields as plain
from msgspec import Struct
from msgspec.structs import replace

from decabilld.actors.ports import Runners
from decabilld.domain.entities import (
    Backorder,
    CustomerProfile,
    Entity,
    Id,
    Invoice,
    ServicePlan,
    ServiceType,
    Subscription,
    SubscriptionItem,
    User,
)
from decabilld.http.operation import Operation
from decabilld.http.schemas import fields as wire
from decabilld.messages.commands import ConfirmServerCreated, ConfirmServerRefused
from decabilld.messages.decision import Command, Effect
from decabilld.messages.server_effects import CreateServer
from tests.http.edge import PASSWORD, POLICY, Edge

E = TypeVar("E", bound=Entity)
PRIVATE, TENANTS_OWN = "zebra-ada", "zebra-default"
VICTIM, BYSTANDER, ADMIN = f"{PRIVATE}@example.org", "bob@example.org", f"{TENANTS_OWN}@example.org"
STRANGER, BOSS = "carl@example.org", "boss@example.org"
CODE = "ZEBRA7"
PERSON = {
    "firstName": "A", "lastName": "B", "addressLine1": "Weg 1", "postalCode": "04109", "city": "Leipzig",
    "country": "DE",
}  # fmt: skip
PLAN = {"basePrice": "10.00", "billingIntervalType": "month", "billingIntervalValue": 1, "cancelAtPeriodEnd": False}


DEPLOYING = replace(POLICY, providers=frozenset({"hetzner"}), providers_ready=frozenset({"hetzner"}),
                    services_ready=frozenset({"manager"}))  # fmt: skip
"""The rules of sellers who have servers."""


class Cloud:
    """Has room for one server."""

    def __init__(self) -> None:
        self.full = False

    @property
    def runners(self) -> Runners:
        return {CreateServer: self.create_server}

    async def create_server(self, tenant_id: str, effect: Effect) -> Command:
        assert isinstance(effect, CreateServer)
        concerned = {"item_id": effect.item_id, "subscription_id": effect.subscription_id}
        if self.full:
            return ConfirmServerRefused(**concerned, step="create", reason="sold out", no_capacity=True)
        self.full = True
        return ConfirmServerCreated(**concerned, server_id="4711", public_ip="203.0.113.7")


class World(Struct, frozen=True):
    """`private` are the victim's ids, `catalog` those of the tenant's plan and type."""

    private: tuple[Id, ...]
    catalog: tuple[Id, ...]


async def built(edge: Edge) -> World:
    """In `default` an admin, a bystander, and the victim with two invoices (one void), a server and a backorder.

    In `acme` boss and customer.
    """
    admin = await edge.register(ADMIN)
    for email in (VICTIM, BYSTANDER):
        await _made(edge, "/api/users", {"email": email, "password": PASSWORD}, admin)
    boss = await edge.register(BOSS, X_Tenant="acme")
    await _made(edge, "/api/users", {"email": STRANGER, "password": PASSWORD}, boss, X_Tenant="acme")
    victim = await edge.login(VICTIM)
    await _made(edge, "/api/customer-profile", {**PERSON, "company": PRIVATE, "email": VICTIM}, victim, expected=200)
    kind = {"key": "server", "name": TENANTS_OWN, "provider": "none"}
    type_id = await _made(edge, "/api/service-types", kind, admin)
    plan_id = await _made(edge, "/api/service-plans", {**PLAN, "name": TENANTS_OWN, "serviceTypeId": type_id}, admin)
    bought = await _made(edge, "/api/subscriptions", {"planId": plan_id}, victim)
    runs = []
    for month in (1, 2):
        now = edge.deps.tenants.now("default") + timedelta(days=32 * month)
        moved = await edge.call("POST", "/api/admin/billing/test-clock", {"now": now.isoformat()}, token=admin)
        assert moved[0] == 200, moved
        status, run, _ = await edge.call("POST", "/api/admin/billing/bill-now", {}, token=admin)
        assert status < 300, run
        runs.append(run["requestId"])
    invoices = [one["id"] for one in (await edge.call("GET", f"/api/invoices/{bought}", token=victim))[1]]
    assert len(invoices) >= 2
    voided = await edge.call("POST", f"/api/admin/billing/invoices/{invoices[1]}/void", {}, token=admin)
    assert voided[0] == 200, voided
    deployed = await _deployed(edge, admin, victim)
    return World((user_of(edge, VICTIM).id, bought, *invoices[:2], runs[0], *deployed), (type_id, plan_id))


async def _deployed(edge: Edge, admin: str, victim: str) -> tuple[Id, ...]:
    """A subscription with a running server, its item, and a backorder."""
    properties = {name: {"type": "string"} for name in ("serverType", "location", "service")}
    kind = {"key": "deployed", "name": TENANTS_OWN, "provider": "hetzner", "configSchema": {"properties": properties}}
    defaults = {"serverType": "cx23", "location": "fsn1", "service": "manager", "authenticationMethod": "api-key"}
    type_id = await _made(edge, "/api/service-types", kind, admin)
    plan = {**PLAN, "name": TENANTS_OWN, "serviceTypeId": type_id, "providerConfigDefaults": defaults}
    plan_id = await _made(edge, "/api/service-plans", plan, admin)
    order = {"planId": plan_id, "autoBackorder": True}
    subscription = await _made(edge, "/api/subscriptions", order, victim)
    (item,) = await _seen(edge, SubscriptionItem, lambda item: item.provisioning_status == "active")
    await _made(edge, "/api/subscriptions", order, victim)
    (backorder,) = await _seen(edge, Backorder, lambda backorder: backorder.status == "pending")
    return subscription, item, backorder


async def _seen(edge: Edge, kind: type[E], right: Callable[[E], bool]) -> list[Id]:
    """Those of `default` that are right, as soon as there are any."""
    async with asyncio.timeout(10):
        while True:
            known = edge.deps.tenants.published("default").all(kind)
            if found := [one.id for one in known.values() if right(one)]:
                return found
            await asyncio.sleep(0.01)


async def _made(edge: Edge, path: str, body: object, token: str, expected: int = 201, **headers: str) -> Id:
    status, answer, _ = await edge.call("POST", path, body, token=token, **headers)
    assert status == expected, answer
    return str(answer.get("id"))


def user_of(edge: Edge, email: str, tenant: str = "default") -> User:
    return next(user for user in edge.deps.tenants.published(tenant).all(User).values() if user.email == email)


def token_of(edge: Edge, email: str, tenant: str = "default") -> str:
    """A fresh session, whatever earlier ones have come to."""
    return edge.deps.tokens.issue(user_of(edge, email, tenant), tenant)


def belongings(edge: Edge) -> dict[Id, Entity]:
    """All of the tenant `default` that strangers could have meddled with."""
    state = edge.deps.tenants.published("default")
    kinds: tuple[type[Entity], ...] = (
        User, CustomerProfile, ServiceType, ServicePlan, Subscription, SubscriptionItem, Backorder, Invoice,
    )  # fmt: skip
    return {entity.id: entity for kind in kinds for entity in state.all(kind).values()}


def requests_of(operation: Operation, world: World, edge: Edge) -> Iterator[tuple[str, dict[str, Any] | None, bool]]:
    """Paths and bodies with every foreign id in every place, and whether only the victim's own are in the path."""
    names = operation.path_ids
    ids = world.private + world.catalog
    for chosen in itertools.product(ids if len(names) < 2 else world.private, repeat=len(names)):
        texts = dict.fromkeys(operation.path_texts, "hetzner")
        path = "/api" + operation.path.format(**texts, **dict(zip(names, chosen, strict=True)))
        is_private = bool(chosen) and set(chosen) <= set(world.private)
        if operation.body is None:
            yield path, None, is_private
            continue
        takes_ids = any(isinstance(field, wire.Id) for field in operation.body().fields.values())
        for foreign in (chosen[:1] or ids) if takes_ids else ids[:1]:
            yield path, example_of(operation.body(), foreign, edge), is_private


def example_of(schema: Schema, foreign: Id, edge: Edge) -> dict[str, Any]:
    """A body that the schema accepts: what it requires, and ids wherever it takes one."""
    return {
        field.data_key or name: _example(field, foreign, edge)
        for name, field in schema.fields.items()
        if field.required or isinstance(field, wire.Id)
    }


def _example(field: plain.Field[Any], foreign: Id, edge: Edge) -> Any:
    match field:
        case wire.Id():
            return foreign
        case wire.Choice():
            return field.validators[0].choices[0]  # type: ignore[attr-defined]
        case wire.Email():
            return "matrix@example.org"
        case wire.Password():
            return "a guess of eight"
        case wire.Instant():
            return edge.deps.tenants.now("acme").isoformat()
        case wire.Price():
            return "1.00"
        case wire.Matching():
            return CODE
        case wire.Country():
            return "DE"
        case wire.Flag():
            return False
        case wire.Count() | wire.Amount():
            return 1
        case wire.FreeObject():
            return {}
        case plain.Nested():
            return example_of(field.schema, foreign, edge)
        case plain.List():
            return [_example(field.inner, foreign, edge)]
        case _:
            return "x"
