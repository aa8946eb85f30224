"""Stories of an operator who looks for invoices, and pages through them while others are written."""

import asyncio
from typing import Any

import pytest

from tests.harness.people import Admin, Customer
from tests.stories.test_statistics import bills

INVOICES = "/admin/billing/invoices"


async def found(admin: Admin, path: str, **query: Any) -> list[str]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    answer = await admin.get(f"{path}?limit=100&{asked}")
    assert answer["total"] == len(answer["items"])
    return [one["id"] for one in answer["items"]]


async def test_an_invoice_is_found_by_each_of_its_numbers_and_by_its_customer(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    anna, ben = await admin.customer("anna"), await admin.customer("ben")
    plan = await admin.plan()
    hers, his = await anna.orders(plan), await ben.orders(plan)
    await admin.move_to("2024-02-11 00:00")
    (of_anna,), (of_ben,) = await anna.invoices(hers), await ben.invoices(his)
    by_hand = await bills(admin, ben, 5)
    await admin.marks_paid(by_hand)
    number = (await ben.subscription(his))["number"]
    for path in (INVOICES, f"{INVOICES}/open-overdue"):
        assert await found(admin, path, search=of_anna["invoiceNumber"]) == [of_anna["id"]]
        assert await found(admin, path, search=number.lower()) == [of_ben["id"]]
        assert await found(admin, path, search="ANNA@customers") == [of_anna["id"]]
        assert await found(admin, path, search=anna.id) == await found(admin, path, userId=anna.id) == [of_anna["id"]]
        assert await found(admin, path, search=f"{anna.email}x") == []
    assert await found(admin, INVOICES, search=ben.id) == [by_hand, of_ben["id"]]
    assert await found(admin, f"{INVOICES}/open-overdue", userId=ben.id) == [of_ben["id"]]
    assert await found(admin, INVOICES, search=anna.id, userId=ben.id) == []


@pytest.mark.parametrize("query", ["", "&search=anna"], ids=["all", "searched"])
async def test_nothing_is_missed_in_pages_while_invoices_are_written(admin: Admin, query: str) -> None:
    await admin.move_to("2024-01-10 00:00")  # where the clock stands: every invoice is written at the same instant
    anna = await admin.customer("anna")
    known = [await bills(admin, anna, 10 + n) for n in range(23)]
    read_through = asyncio.Event()

    async def writes(customer: Customer) -> int:
        written = 0
        while not read_through.is_set():
            await bills(admin, customer, 7)
            written += 1
        return written

    writer = asyncio.create_task(writes(anna))
    listed: list[str] = []
    while len(listed) < (total := (page := await _page(admin, len(listed), query))["total"]):
        assert total >= len(known)
        listed += [one["id"] for one in page["items"]]
        assert page["items"], "a page within the total is not empty"
    read_through.set()
    assert await writer > 0, "it was written meanwhile"
    once = list(dict.fromkeys(listed))
    assert [one for one in once if one in known] == known[::-1]


async def _page(admin: Admin, offset: int, query: str) -> Any:
    return await admin.get(f"{INVOICES}?limit=3&offset={offset}{query}")
