"""Stories of what the operator reads of a year's business."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from decabilld.http.views.statistics import periods
from tests.harness.people import Admin, Customer

SUMMARY, BY_PRODUCT = "/admin/billing/statistics/summary", "/admin/billing/statistics/by-product"


async def bills(admin: Admin, customer: Customer, price: int) -> str:
    line = {"description": "Work", "quantity": 1, "unitPriceNet": price}
    draft = await admin.post("/admin/billing/invoices/manual", {"userId": customer.id, "lineItems": [line]})
    return str((await admin.post(f"/admin/billing/invoices/{draft['id']}/issue"))["id"])


def invoiced(summary: Any) -> dict[str, str]:
    """The points of the series that aren't zero."""
    return {one["period"]: str(one["totalGross"]) for one in summary["series"] if one["totalGross"]}


async def test_a_quarter_in_figures(berlin: Admin) -> None:
    await berlin.move_to("2024-01-10 12:00")
    anna, ben = await berlin.customer("anna"), await berlin.customer("ben")
    plan = await berlin.plan("Server", "31.00")
    await anna.orders(plan)
    paid = await bills(berlin, ben, 100)
    await berlin.marks_paid(paid)
    await berlin.voids(await bills(berlin, ben, 1000))
    line = {"description": "Work", "quantity": 1, "unitPriceNet": 5}
    await berlin.post("/admin/billing/invoices/manual", {"userId": ben.id, "lineItems": [line]})
    await berlin.move_to("2024-02-01 00:30")  # still January in UTC
    await bills(berlin, ben, 200)
    await berlin.move_to("2024-02-20 12:00")

    by_day = await berlin.get(SUMMARY)
    assert (by_day["from"], by_day["to"], by_day["groupBy"], len(by_day["series"])) == (
        "2024-01-22",
        "2024-02-20",
        "day",
        30,
    )
    assert invoiced(by_day) == {"2024-02-01": "238.00", "2024-02-10": "36.89"}
    assert (by_day["totalGross"], by_day["paidCount"]) == (Decimal("274.89"), 0)

    by_month = await berlin.get(f"{SUMMARY}?groupBy=month")
    assert [by_month["series"][0]["period"], by_month["series"][-1]["period"]] == ["2023-03", "2024-02"]
    assert len(by_month["series"]) == 12
    assert invoiced(by_month) == {"2024-01": "119.00", "2024-02": "274.89"}
    assert by_month["paidCount"] == 1
    of_ben = await berlin.get(f"{SUMMARY}?from=2024-01-01&to=2024-01-31&userId={ben.id}")
    assert (invoiced(of_ben), of_ben["paidCount"], len(of_ben["series"])) == ({"2024-01-10": "119.00"}, 1, 31)

    by_product = await berlin.get(f"{BY_PRODUCT}?from=2024-01-01")
    assert [(one["planId"], one["planName"], str(one["totalGross"])) for one in by_product["items"]] == [
        (None, "Manual invoices", "357.00"),
        (plan, "Server", "36.89"),
    ]
    assert (by_product["totalGross"], by_product["to"]) == (Decimal("393.89"), "2024-02-20")
    nobody = await berlin.get(f"{BY_PRODUCT}?userId={plan}")
    assert (nobody["items"], nobody["totalGross"], nobody["from"]) == ([], 0, "2024-01-22")


async def test_ranges_that_make_no_sense_are_refused(admin: Admin) -> None:
    for query in ("from=2024-02-01&to=2024-01-31", "from=2024-13-01", "to=x", "groupBy=year", "userId=1",
                  "from=1024-01-01"):  # fmt: skip
        assert (await admin.refused("GET", f"{SUMMARY}?{query}")).status == 400, query
    assert (await admin.refused("GET", f"{BY_PRODUCT}?from=2024-02-01&to=2024-01-31")).status == 400
    assert len((await admin.get(f"{SUMMARY}?groupBy=month&to=0001-05-05"))["series"]) == 5
    assert (await (await admin.customer("anna")).refused("GET", SUMMARY)).status == 403


@pytest.mark.parametrize(
    ("first", "last", "group_by", "expected"),
    [
        ("2024-02-28", "2024-03-01", "day", ["2024-02-28", "2024-02-29", "2024-03-01"]),
        ("2023-12-31", "2024-01-01", "month", ["2023-12", "2024-01"]),
        ("2024-05-31", "2024-05-31", "month", ["2024-05"]),
    ],
)
def test_every_period_in_a_range_has_a_point(first: str, last: str, group_by: Any, expected: list[str]) -> None:
    assert periods(date.fromisoformat(first), date.fromisoformat(last), group_by) == expected
