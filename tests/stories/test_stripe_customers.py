"""Stories of a customer at Stripe: made once, used again, replaced when it is gone there."""

import asyncio
from datetime import timedelta
from typing import Any

from decabilld.domain.entities import CustomerProfile, PaymentAttempt
from tests.stories.shop import Shop
from tests.stripe.fake_stripe import Fault


async def customer_of(shop: Shop) -> Any:
    """As an admin sees it in the profile."""
    (profile,) = [
        one
        for one in (await shop.admin.get("/admin/billing/customer-profiles"))["items"]
        if one["userId"] == shop.anna.id
    ]
    return (await shop.admin.get(f"/admin/billing/customer-profiles/{profile['id']}"))["stripeCustomerId"]


async def test_the_first_payment_makes_a_customer_and_the_next_ones_use_it(shop: Shop) -> None:
    assert await customer_of(shop) is None
    await shop.pays()
    ((customer_id, customer),) = shop.stripe.customers.items()
    assert (customer["email"], customer["metadata"]) == (
        "anna@customers.example",
        {"userId": shop.anna.id, "tenantId": "default"},
    )
    assert await customer_of(shop) == customer_id
    await shop.admin.move_to("2024-03-11 00:00")
    following = (await shop.anna.invoices(shop.subscription))[1]["id"]
    await shop.anna.pays(following)
    assert list(shop.stripe.customers) == [customer_id]
    assert [session["customer"] for session in shop.stripe.sessions.values()] == [customer_id] * 2
    assert {session["customer_email"] for session in shop.stripe.sessions.values()} == {None}
    assert "customer_profile.updated" in await shop.admin.audit.journal_kinds("default")


async def test_a_customer_that_is_gone_at_stripe_is_made_anew(shop: Shop) -> None:
    await shop.pays()
    ((gone, _),) = shop.stripe.customers.items()
    await shop.delivers(shop.stripe.expire(shop.sessions[0]))
    shop.stripe.customers.clear()
    url = await shop.pays()
    ((customer_id, _),) = shop.stripe.customers.items()
    assert customer_id != gone
    assert await customer_of(shop) == customer_id
    assert shop.stripe.sessions[shop.sessions[1]]["customer"] == customer_id
    assert shop.stripe.sessions[shop.sessions[1]]["url"] == url
    await shop.delivers(shop.stripe.complete(shop.sessions[1]))
    assert (await shop.invoice())["status"] == "paid"


async def test_gone_and_in_doubt_at_once_it_is_still_one_customer_and_one_checkout(shop: Shop) -> None:
    await shop.pays()
    await shop.delivers(shop.stripe.expire(shop.sessions[0]))
    shop.stripe.customers.clear()
    # The first opening finds the customer missing; the second is acted upon, and nobody hears.
    shop.stripe.faults.extend([Fault(), Fault(drop="after"), Fault(status=429, retry_after_seconds=60)])
    assert (await shop.anna.refused("POST", f"/invoices/ref/{shop.invoice_id}/pay")).status == 502
    assert await shop.pays() == shop.stripe.sessions[shop.sessions[1]]["url"]
    assert (len(shop.sessions), len(shop.stripe.customers)) == (2, 1)
    assert [attempt.status for attempt in await shop.kept(PaymentAttempt)] == ["expired", "open"]


async def test_a_customer_is_kept_even_if_the_checkout_is_refused(shop: Shop) -> None:
    shop.stripe.faults.append(Fault(status=402))
    assert (await shop.anna.refused("POST", f"/invoices/ref/{shop.invoice_id}/pay")).status == 502
    ((customer_id, _),) = shop.stripe.customers.items()
    assert await customer_of(shop) == customer_id
    shop.clock.jump_to(shop.clock() + timedelta(days=2))  # Stripe would have forgotten the key
    await shop.pays()
    assert list(shop.stripe.customers) == [customer_id]


async def test_customers_whom_stripe_refuses_say_why(shop: Shop) -> None:
    shop.stripe.customer_faults.append(Fault(status=402))
    refused = await shop.anna.refused("POST", f"/invoices/ref/{shop.invoice_id}/pay")
    assert (refused.status, "declined" in refused.message) == (502, True)
    assert shop.sessions == []
    assert await shop.pays()


async def test_nobody_sets_their_own_customer(shop: Shop) -> None:
    await shop.pays()
    known = await customer_of(shop)
    assert (await shop.anna.refused("POST", "/customer-profile", {"stripeCustomerId": "cus_other"})).status == 400
    await shop.anna.fills_in_profile(city="Bonn")
    assert await customer_of(shop) == known
    assert len(await shop.kept(CustomerProfile)) == 1


async def address_at_stripe(shop: Shop) -> Any:
    await shop.admin.audit.quiet("default")
    ((_, customer),) = shop.stripe.customers.items()
    return customer["email"]


async def test_receipts_follow_the_address(shop: Shop) -> None:
    await shop.pays()
    await shop.anna.fills_in_profile(email="anna@new.example")
    assert await address_at_stripe(shop) == "anna@new.example"
    known = [request.path for request in shop.stripe.requests]
    await shop.anna.fills_in_profile(email="anna@new.example", city="Bonn")  # Stripe knows nothing of cities
    await shop.admin.audit.quiet("default")
    assert [request.path for request in shop.stripe.requests] == known
    (profile,) = await shop.kept(CustomerProfile)
    await shop.admin.post(f"/admin/billing/customer-profiles/{profile.id}", {"email": None})
    assert await address_at_stripe(shop) == "anna@customers.example"  # whom notices go to, too
    await shop.admin.post(f"/users/{shop.anna.id}", {"email": "anna@third.example"})
    assert await address_at_stripe(shop) == "anna@third.example"


async def test_before_the_first_payment_nobody_is_told(shop: Shop) -> None:
    await shop.anna.fills_in_profile(email="anna@new.example")
    await shop.admin.audit.quiet("default")
    assert shop.stripe.requests == []


async def test_the_last_of_many_addresses_counts(shop: Shop) -> None:
    await shop.pays()
    goes_on = asyncio.Event()
    shop.stripe.update_faults.append(Fault(until=goes_on))
    for number in range(10):
        await shop.anna.fills_in_profile(email=f"anna{number}@new.example")
        async with asyncio.timeout(10):
            while shop.stripe.update_faults:  # noqa: ASYNC110 - the fake has no event to wait for
                await asyncio.sleep(0.01)
    goes_on.set()
    assert await address_at_stripe(shop) == "anna9@new.example"
    updates = [request for request in shop.stripe.requests if request.path.startswith("/v1/customers/")]
    assert {update.params["email"] for update in updates} == {"anna0@new.example", "anna9@new.example"}


async def test_an_address_that_changes_while_the_customer_is_made(shop: Shop) -> None:
    goes_on = asyncio.Event()
    shop.stripe.customer_faults.append(Fault(until=goes_on))
    paying = asyncio.create_task(shop.pays())
    async with asyncio.timeout(10):
        while shop.stripe.customer_faults:  # noqa: ASYNC110 - the fake has no event to wait for
            await asyncio.sleep(0.01)
    await shop.anna.fills_in_profile(email="anna@new.example")
    goes_on.set()
    await paying
    assert await address_at_stripe(shop) == "anna@new.example"


async def test_a_failure_to_tell_blocks_nobody(shop: Shop) -> None:
    url = await shop.pays()
    shop.stripe.update_faults.append(Fault(status=402))
    await shop.anna.fills_in_profile(email="anna@new.example")
    assert await shop.pays() == url
    assert await address_at_stripe(shop) == "anna@new.example"  # at the second try


async def test_a_customer_that_is_gone_needs_no_address(shop: Shop) -> None:
    await shop.pays()
    shop.stripe.customers.clear()
    await shop.anna.fills_in_profile(email="anna@new.example")
    await shop.admin.audit.quiet("default")
    assert "effect.given_up" not in await shop.admin.audit.journal_kinds("default")
