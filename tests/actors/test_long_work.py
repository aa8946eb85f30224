"""Work over more than one command's worth of customers: cut into pieces, each customer once, requests in between."""

import asyncio
from datetime import UTC, datetime

from decabilld.domain.entities import Invoice, Subscription
from decabilld.messages.commands import AT_A_TIME
from tests.actors.stage import Stage, days_pass, new_user, profile_of, subscribed, tell


async def test_a_month_of_many_customers_is_billed_once_and_lets_others_in_between(stage: Stage) -> None:
    stage.clock.ahead = datetime(2024, 3, 5, 12, tzinfo=UTC) - datetime.now(UTC)
    actor = await stage.actor()
    many = AT_A_TIME + 50
    await subscribed(actor, *(f"customer{n}" for n in range(many)), days=30)
    bystander = await new_user(actor, "bystander")
    before = await stage.commits()
    moving = asyncio.create_task(days_pass(actor, 40))
    cities = 0
    while not moving.done():
        await tell(actor, profile_of(bystander, city=str(cities)))
        cities += 1
    await moving
    pieces = await stage.commits() - before
    assert cities > 1
    assert pieces > 3
    assert await stage.value("SELECT count(*) FROM positions") == many
    numbers = await stage.value("SELECT array_agg(right(number, 5)::int ORDER BY number) FROM invoices")
    assert numbers == list(range(1, many + 1))
    assert len(actor.published().all(Invoice)) == many
    assert len(actor.published().all(Subscription)) == many
