"""Stories of invoices that somebody recomputes by hand."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.harness.people import Admin

CENT = Decimal("0.01")


def recomputed(line: Any) -> Decimal:
    """A line's net from what explains it."""
    position = line["position"]
    if position is None:
        exact = line["quantity"] * line["unitPriceNet"]
    else:
        exact = position["price"] * position["share"]["numerator"] / position["share"]["denominator"]
    return Decimal(exact).quantize(CENT, ROUND_HALF_UP)


async def test_every_amount_can_be_recomputed_from_its_explanation(admin: Admin) -> None:
    await admin.move_to("2024-01-31 09:00")
    anna = await admin.customer("anna")
    plan = await admin.plan("Server", "29.90", marginPercent="10")
    subscription = await anna.orders(plan)
    await admin.records_usage(subscription, "2024-02-01 00:00", "2024-02-02 00:00", units=3, unitPrice="0.335")
    await admin.post(f"/service-plans/{plan}", {"basePrice": "99"})
    await admin.move_to("2024-02-14 00:00")
    await anna.cancels(subscription)
    made = await admin.post(f"/invoices/{subscription}")
    explained = await admin.get(f"/admin/billing/invoices/{made['invoiceRefId']}/explain")
    invoice = await anna.invoice(made["invoiceRefId"])

    part, usage = explained["lineItems"]
    assert [recomputed(line) for line in (part, usage)] == [line["lineNet"] for line in invoice["lineItems"]]
    terms = part["position"]["terms"]
    assert (str(terms["price"]), terms["planName"], terms["billingIntervalType"]) == ("32.89", "Server", "month")
    # 13 days and 15 hours of the 29 days from 31 January to 29 February
    assert part["position"]["share"] == {"numerator": 327 * 3600 * 10**6, "denominator": 29 * 24 * 3600 * 10**6}
    assert part["calculation"] == "32.89 x 1177200000000 / 2505600000000, rounded to 15.45"
    assert (part["position"]["periodStart"], part["position"]["periodEnd"]) == (
        "2024-01-31T09:00:00.000Z",
        "2024-02-14T00:00:00.000Z",
    )
    assert part["position"]["usage"] is None
    assert usage["position"]["usage"]["usagePayload"] == {"units": 3, "unitPrice": "0.335"}
    assert (str(usage["position"]["usage"]["cost"]), str(usage["lineNet"])) == ("1.01", "1.01")

    (group,) = explained["taxGroups"]
    assert group["net"] == part["lineNet"] + usage["lineNet"] == explained["subtotalNet"]
    assert group["exactTax"] == group["net"] * 19 / 100
    assert group["taxAmount"] == group["exactTax"].quantize(CENT, ROUND_HALF_UP) == explained["taxTotal"]
    assert sum(line["lineTax"] for line in explained["lineItems"]) == group["taxAmount"]
    assert (explained["invoiceNumber"], explained["balanceDue"]) == ("INV-2024-00001", explained["totalGross"])
    assert (await anna.refused("GET", f"/admin/billing/invoices/{made['invoiceRefId']}/explain")).status == 403


async def test_lines_written_by_hand_explain_themselves(admin: Admin) -> None:
    anna = await admin.customer("anna")
    line = {"description": "GB", "quantity": Decimal("1234.5678"), "unitPriceNet": Decimal("0.0345")}
    draft = await admin.post("/admin/billing/invoices/manual", {"userId": anna.id, "lineItems": [line]})
    (shown,) = (await admin.get(f"/admin/billing/invoices/{draft['id']}/explain"))["lineItems"]
    assert (shown["calculation"], shown["position"]) == ("1234.5678 x 0.0345, rounded to 42.59", None)
    assert recomputed(shown) == shown["lineNet"]
