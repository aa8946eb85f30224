"""Servers through whatever order of wishes, outcomes and time: one step at a time, nothing left, nothing charged for
what never came. Rules only; that they hold across crashes and at real providers is proven elsewhere."""

import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from decabilld.actors.tenant.dispatch import decide
from decabilld.actors.tenant.handlers.items import EFFECT_OF_STEP
from decabilld.actors.tenant.handlers.timetable import next_piece
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Backorder, Entity, Position, ServerStep, Subscription, SubscriptionItem, Timetable
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.refusals import Refusal
from decabilld.ids import new_id
from decabilld.messages import commands as c
from decabilld.messages.decision import Command, Context, Decision
from decabilld.messages.server_effects import (
    AwaitAddress,
    CreateServer,
    PublishName,
    RemoveServer,
    ServerEffect,
    SwitchServer,
)
from tests.domain.builders import at
from tests.store import samples

WALKS, STEPS = 60, 60
DEFAULTS = {"serverType": "cx23", "location": "fsn1", "service": "manager"}
TERMS: tuple[dict[str, Any], ...] = (
    {"cancel_at_period_end": False},
    {"cancel_at_period_end": True},
    {"cancel_at_period_end": False, "notice_days": 3},
    {"bill_in_advance": True},
    {"interval": "day", "interval_count": 2, "cancel_at_period_end": False, "bill_in_advance": True},
)
SECRETS = c.NewSecrets(sealed="v1:x", ssh_public_key="ssh-ed25519 A", host_public_key="ssh-ed25519 B")


class Life:
    """A customer, plans of servers, and whatever befalls them; all that was ever written is kept, as in a database."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, self.now = dice, at("2026-01-10 12:00")
        self.policy = BillingPolicy(
            zone=ZoneInfo("Europe/Berlin"), issuer=samples.PARTY, mail=True, providers=frozenset({"hetzner"}),
            providers_ready=frozenset({"hetzner"}), services_ready=frozenset({"manager"}),
            dns_domain=dice.choice(["cloud.example.org", None]),
        )  # fmt: skip
        self.kept: dict[tuple[str, str], Entity] = {}
        self.under_way: dict[str, ServerEffect] = {}
        self.over: list[ServerEffect] = []
        self.state = TenantState(tenant_id="t")
        kind = samples.service_type(provider="hetzner", config_schema={})
        self.user = samples.user()
        self.plans = [
            samples.plan(
                kind, billing_day_of_month=None, provider_config_defaults=DEFAULTS,
                **{"interval": "month", "interval_count": 1, **terms},
            )
            for terms in TERMS
        ]  # fmt: skip
        complete = {"email": "anna@example.org", "address_line1": "Weg 7", "city": "Berlin"}
        timetable = Timetable(id=new_id(), billing_date_done=self.now.date(), zone=self.policy.zone.key)
        self.write([timetable, kind, self.user, samples.profile(self.user, **complete), *self.plans])

    def write(self, changes: Any) -> None:
        self.state = self.state.with_changes(changes).published()
        self.kept |= {(one.table, one.id): one for one in changes}

    def all(self, kind: type[Any]) -> list[Any]:
        return [one for one in self.kept.values() if isinstance(one, kind)]

    def does(self, command: Command) -> bool:
        """Whether it was decided; refused otherwise."""
        named = [self.kept[kind.table, entity_id] for kind, entity_id in command.needs() if (kind.table, entity_id) in
                 self.kept]  # fmt: skip
        try:
            self.adopt(decide(self.state.with_loaded(named), command, self.context))
        except Refusal:
            return False
        return True

    def adopt(self, decision: Decision) -> None:
        self.write(decision.changes)
        for effect in decision.effects:
            if isinstance(effect, ServerEffect):
                self.under_way[effect.id] = effect

    @property
    def context(self) -> Context:
        return Context(
            tenant_id="t", now=self.now, wall=self.now, policy=self.policy, new_id=new_id, who="test", cause="test"
        )

    # --- what befalls ---

    def an_order(self) -> None:
        self.does(
            c.OrderSubscription(
                user_id=self.user.id, plan_id=self.dice.choice(self.plans).id, secrets=SECRETS,
                auto_backorder=self.dice.random() < 0.5, no_capacity=self.dice.choice([None, None, "sold out"]),
            )
        )  # fmt: skip

    def a_wish(self) -> None:
        bought, waiting = self.all(Subscription), self.all(Backorder)
        own = {"user_id": self.user.id}
        if bought and self.dice.random() < 0.7:
            subscription = self.dice.choice(bought)
            kind = self.dice.choice([c.CancelSubscription, c.CancelSubscription, c.ResumeSubscription])
            self.does(kind(subscription_id=subscription.id, **own))
            self.does(c.InvoiceSubscription(subscription_id=subscription.id))
        elif waiting:
            kind = self.dice.choice([c.RetryBackorder, c.CancelBackorder])
            self.does(kind(backorder_id=self.dice.choice(waiting).id, **own))

    def a_switch(self) -> None:
        if items := self.all(SubscriptionItem):
            item, power = self.dice.choice(items), self.dice.choice(["start", "stop", "restart"])
            self.does(
                c.SwitchItem(
                    user_id=item.user_id, subscription_id=item.subscription_id, item_id=item.id, power=power
                )
            )  # fmt: skip

    def an_outcome(self, *, good: bool = False) -> None:
        if self.under_way:
            effect = self.under_way.pop(self.dice.choice(sorted(self.under_way)))
            self.over.append(effect)
            assert self.does(self.outcome_of(effect, good=good))

    def an_outcome_again(self) -> None:
        if self.over:
            effect = self.dice.choice(self.over)
            item = self.kept[SubscriptionItem.table, effect.item_id]
            assert isinstance(item, SubscriptionItem)
            if item.step is None or not isinstance(effect, EFFECT_OF_STEP[item.step]):
                self.does(self.outcome_of(effect, good=self.dice.random() < 0.5))

    def outcome_of(self, effect: ServerEffect, *, good: bool) -> Command:
        its: dict[str, Any] = {"item_id": effect.item_id, "subscription_id": effect.subscription_id}
        fails = not good and self.dice.random() < 0.4
        if fails and not isinstance(effect, RemoveServer) and self.dice.random() < 0.3:
            return c.GiveUpEffect(effect_id=effect.id, effect_kind=type(effect).__name__, reason="away", **its)
        match effect:
            case CreateServer() | AwaitAddress() if fails:
                step = "create" if isinstance(effect, CreateServer) else "await_address"
                no_capacity = self.dice.random() < 0.5
                return c.ConfirmServerRefused(step=step, reason="none left", no_capacity=no_capacity, **its)
            case CreateServer():
                ip = self.dice.choice([None, "203.0.113.7"])
                return c.ConfirmServerCreated(server_id="1", public_ip=ip, **its)
            case AwaitAddress():
                return c.ConfirmServerAddress(server_id="1", public_ip="203.0.113.7", **its)
            case PublishName():
                return c.ConfirmNamePublished(failure="another's" if fails else None, **its)
            case SwitchServer(power=power):
                return c.ConfirmSwitched(power=power, failure="locked" if fails else None, **its)
            case _:
                return c.ConfirmServerRemoved(**its)

    def time(self, passed: timedelta) -> None:
        self.now += passed
        while (piece := next_piece(self.state, c.DoDueWork(), self.context)) is not None:
            self.adopt(piece)

    # --- what must hold ---

    def check(self) -> None:
        steps = Counter((effect.item_id, step_of(effect)) for effect in self.under_way.values())
        items = self.all(SubscriptionItem)
        assert steps == Counter((item.id, item.step) for item in items if item.step is not None)
        for item in items:
            subscription = self.kept[Subscription.table, item.subscription_id]
            assert isinstance(subscription, Subscription)
            waits = [one for one in self.all(Backorder) if one.item_id == item.id and one.live]
            assert len(waits) == (subscription.status == "pending_backorder")
            assert (item.unwanted_since is not None) == (not subscription.live)
            assert item.released_at is None or item.unwanted_since is not None
            self.check_dates(subscription)
            self.check_charges(subscription, ready=item.provisioning_status == "active")

    def check_dates(self, one: Subscription) -> None:
        assert (one.status == "canceled") == (one.ended_at is not None)
        assert (one.status == "pending_cancel") <= (None not in (one.cancel_effective_at, one.cancel_requested_at))
        assert (one.status == "active") <= (one.cancel_effective_at is None and one.anchor is not None)
        assert (one.status == "pending_backorder") <= (one.anchor is None and not one.awaits_server)

    def check_charges(self, one: Subscription, *, ready: bool) -> None:
        charges = sorted(
            (p for p in self.all(Position) if p.subscription_id == one.id), key=lambda position: position.period_start
        )
        if one.anchor is None or one.awaits_server:
            assert not charges
            return
        assert ready
        end: datetime | None = one.anchor
        for charge in charges:
            assert charge.period_start == end
            end = charge.period_end
        assert one.charged_through == end
        assert one.ended_at in (None, end)


def step_of(effect: ServerEffect) -> ServerStep:
    return next(step for step, kind in EFFECT_OF_STEP.items() if isinstance(effect, kind))


@pytest.mark.parametrize("seed", range(WALKS))
def test_any_life_of_servers(seed: int) -> None:
    dice = random.Random(seed)
    life = Life(dice)
    for _ in range(STEPS):
        wishes = [life.an_order, life.a_wish, life.a_switch]
        dice.choice([*wishes, life.an_outcome, life.an_outcome, life.an_outcome_again])()
        if dice.random() < 0.3:
            life.time(timedelta(hours=dice.choice([0, 1, 30, 200, 800])))
        life.check()
    for subscription in life.all(Subscription):
        life.does(c.CancelSubscription(user_id=life.user.id, subscription_id=subscription.id))
    for backorder in life.all(Backorder):
        life.does(c.CancelBackorder(user_id=life.user.id, backorder_id=backorder.id))
    life.time(timedelta(days=40))
    while life.under_way:
        life.an_outcome(good=True)
        life.time(timedelta(hours=1))
    life.time(timedelta(days=40))
    while life.under_way:
        life.an_outcome(good=True)
    life.check()
    assert all(item.released_at for item in life.all(SubscriptionItem))
    assert not any(one.live for kind in (Subscription, Backorder) for one in life.all(kind))


def test_a_server_that_comes_after_the_end_is_charged_nothing_though_nobody_has_looked() -> None:
    life = Life(random.Random(1))
    with_notice = life.plans[2]
    life.does(c.OrderSubscription(user_id=life.user.id, plan_id=with_notice.id, secrets=SECRETS))
    (ordered,) = life.all(Subscription)
    assert life.does(c.CancelSubscription(user_id=life.user.id, subscription_id=ordered.id))
    life.now += timedelta(days=3, minutes=1)
    while not any(isinstance(effect, RemoveServer) for effect in life.under_way.values()):
        life.an_outcome(good=True)
        life.check()
    (ended,) = life.all(Subscription)
    assert (ended.status, ended.anchor, life.all(Position)) == ("canceled", None, [])
