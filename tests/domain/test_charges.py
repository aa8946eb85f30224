"""What open positions say: amount, share, words; and the cost and identity of usage."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from decabilld.domain.charges import period_charge, usage_cost_minor, usage_digest, usage_position
from decabilld.domain.entities import PlanTerms, Position
from decabilld.domain.refusals import Invalid
from tests.domain.builders import BERLIN, UTC_ZONE, at, plan_terms, subscription, usage

DAY = 86_400_000_000


def charge(terms: PlanTerms, anchor: str, start: str, end: str, k: int = 0, zone=UTC_ZONE) -> Position:
    sub = subscription(terms, at(anchor))
    return period_charge(sub, at(start), at(end), k, zone, position_id="pos-1", due=at(end))


def test_january_whole_is_charged_in_full() -> None:
    position = charge(plan_terms(tax_category="reduced"), "2026-01-01", "2026-01-01", "2026-02-01")
    assert position == Position(
        id="pos-1",
        user_id="user-1",
        subscription_id="sub-1",
        plan_id="plan-1",
        kind="period",
        period_start=at("2026-01-01"),
        period_end=at("2026-02-01"),
        description="Cloud S, 2026-01-01 to 2026-01-31",
        net_minor=1000,
        currency="EUR",
        tax_category="reduced",
        price_minor=1000,
        share_numerator=31 * DAY,
        share_denominator=31 * DAY,
        created_at=at("2026-02-01"),
    )


def test_stub_to_the_15th_is_four_and_a_half_of_31_days() -> None:
    """Ordered on January 10 at noon; the whole interval runs from December 15."""
    position = charge(plan_terms(day=15), "2026-01-10 12:00", "2026-01-10 12:00", "2026-01-15")
    assert position.net_minor == 145
    assert position.price_minor == 1000
    assert (position.share_numerator, position.share_denominator) == (9 * DAY // 2, 31 * DAY)
    assert position.description == "Cloud S, 2026-01-10 to 2026-01-14"


def test_stub_of_a_year_aligned_to_february_1_is_a_share_of_365_days() -> None:
    position = charge(plan_terms("year", day=1, price_minor=36500), "2026-01-10", "2026-01-10", "2026-02-01")
    assert position.net_minor == 2200


def test_quarter_cancelled_after_its_first_month_is_31_of_90_days() -> None:
    position = charge(plan_terms("month", 3, price_minor=9000), "2026-01-01", "2026-01-01", "2026-02-01")
    assert position.net_minor == 3100


def test_second_period_cancelled_halfway() -> None:
    position = charge(plan_terms(), "2026-01-31", "2026-02-28", "2026-03-15 12:00", k=1)
    assert position.net_minor == 500
    assert position.description == "Cloud S, 2026-02-28 to 2026-03-15"


def test_half_of_berlins_short_day_costs_half() -> None:
    position = charge(plan_terms("day"), "2026-03-28 23:00", "2026-03-28 23:00", "2026-03-29 10:30", zone=BERLIN)
    assert position.net_minor == 500
    assert position.description == "Cloud S, 2026-03-29"


def test_plan_billed_in_advance_writes_an_advance() -> None:
    sub = subscription(plan_terms(bill_in_advance=True), at("2026-01-01"))
    start, end = at("2026-01-01"), at("2026-02-01")
    position = period_charge(sub, start, end, 0, UTC_ZONE, position_id="pos-1", due=start)
    assert (position.kind, position.created_at, position.closed_at) == ("advance", start, None)


@pytest.mark.parametrize(
    ("price", "end", "net", "closed"),
    [(0, "2026-02-01", 0, True), (1, "2026-01-10", 0, True), (1, "2026-01-16 12:00", 1, False)],
)
def test_what_rounds_to_nothing_is_closed_when_it_falls_due(price: int, end: str, net: int, closed: bool) -> None:
    position = charge(plan_terms(price_minor=price), "2026-01-01", "2026-01-01", end)
    assert position.net_minor == net
    assert position.closed_at == (at(end) if closed else None)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2026-01-01 12:00", "2026-01-01 13:00", "2026-01-01 13:00 to 14:00"),
        ("2026-01-01 22:00", "2026-01-01 23:00", "2026-01-01 23:00 to 2026-01-02 00:00"),
        ("2026-10-25 00:30", "2026-10-25 01:30", "2026-10-25 02:30 +0200 to 02:30 +0100"),
        ("2026-10-25 01:30", "2026-10-25 02:30", "2026-10-25 02:30 to 03:30"),
    ],
)
def test_hours_are_named_by_berlins_clocks(start: str, end: str, words: str) -> None:
    position = charge(plan_terms("hour"), start, start, end, zone=BERLIN)
    assert position.description == f"Cloud S, {words}"
    assert position.net_minor == 1000


def test_months_are_named_by_berlins_days() -> None:
    position = charge(plan_terms(day=1), "2026-06-30 22:00", "2026-06-30 22:00", "2026-07-31 22:00", zone=BERLIN)
    assert position.description == "Cloud S, 2026-07-01 to 2026-07-31"


def test_usage_is_a_position_of_its_own() -> None:
    sub = subscription(plan_terms(tax_category="reduced"), at("2026-01-01"))
    record = usage(at("2026-01-04 23:00"), at("2026-01-05 23:00"), 250)
    position = usage_position(sub, record, position_id="pos-2", due=at("2026-02-01"), zone=BERLIN)
    assert position == Position(
        id="pos-2",
        user_id="user-1",
        subscription_id="sub-1",
        plan_id="plan-1",
        kind="usage",
        source="usage-1",
        period_start=at("2026-01-04 23:00"),
        period_end=at("2026-01-05 23:00"),
        description="Cloud S, usage 2026-01-05",
        net_minor=250,
        currency="EUR",
        tax_category="reduced",
        price_minor=250,
        created_at=at("2026-02-01"),
    )


def test_usage_for_nothing_is_closed_at_once() -> None:
    sub, due = subscription(plan_terms(), at("2026-01-01")), at("2026-02-01")
    assert usage_position(sub, usage(due, due, 0), position_id="p", due=due).closed_at == due


def test_usage_of_an_instant_is_named_by_its_day() -> None:
    sub, midnight = subscription(plan_terms(), at("2026-01-01")), at("2026-01-05")
    position = usage_position(sub, usage(midnight, midnight, 5), position_id="p", due=at("2026-02-01"))
    assert position.description == "Cloud S, usage 2026-01-05"


@pytest.mark.parametrize(
    ("payload", "minor"),
    [
        ({"totalCost": Decimal("12.345"), "usageCost": 1, "units": 9, "unitPrice": 9}, 1235),
        ({"usageCost": "0.3", "units": 9, "unitPrice": 9}, 30),
        ({"totalCost": None, "usageCost": 2}, 200),
        ({"units": Decimal("3.5"), "unitPrice": "0.0033"}, 1),
        ({"units": "1e3", "unitPrice": Decimal("0.00125")}, 125),
        ({"units": 5}, 0),
        ({"unitPrice": 5}, 0),
        ({"cpu": "plenty"}, 0),
        ({}, 0),
        ({"totalCost": 0, "usageCost": 7}, 0),
    ],
)
def test_usage_costs(payload: dict[str, Any], minor: int) -> None:
    assert usage_cost_minor(payload, "EUR") == minor


def test_usage_costs_in_yen() -> None:
    assert usage_cost_minor({"units": 3, "unitPrice": Decimal("0.5")}, "JPY") == 2


@pytest.mark.parametrize("field", ["totalCost", "usageCost", "units", "unitPrice"])
@pytest.mark.parametrize(
    "value",
    [
        *("", "abc", "1_000", "1,5", "NaN", "Infinity", "٣", "1 ", "1e9999", "9" * 41, "-0.01"),
        *(-1, Decimal("-1e-9"), Decimal("NaN"), Decimal("Infinity"), Decimal("1e999999"), Decimal("1e-999999")),
        *(10**15, 10**40, True, [], {}, Decimal("0." + "3" * 31), Decimal("123." + "4" * 30)),
    ],
)
def test_what_is_no_cost_is_refused_by_name(field: str, value: object) -> None:
    payload = {"units": 1, "unitPrice": 1, field: value} if field.startswith("unit") else {field: value}
    with pytest.raises(Invalid, match=rf"^{field} "):
        usage_cost_minor(payload, "EUR")


def test_a_product_beyond_reason_is_refused() -> None:
    with pytest.raises(Invalid, match="units x unitPrice"):
        usage_cost_minor({"units": 10**14, "unitPrice": 10**14}, "EUR")


def test_a_float_is_a_bug_of_the_edge() -> None:
    with pytest.raises(TypeError, match="totalCost"):
        usage_cost_minor({"totalCost": 0.1}, "EUR")
    with pytest.raises(TypeError, match="float"):
        usage_digest("sub-1", at("2026-01-01"), at("2026-02-01"), {"x": 0.1})


def digest(payload: dict[str, Any], sub: str = "sub-1", start: str = "2026-01-01", end: str = "2026-02-01") -> str:
    return usage_digest(sub, at(start), at(end), payload)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": Decimal("1.50")}, {"a": Decimal("1.5")}),
        ({"a": Decimal("1E+3")}, {"a": 1000}),
        ({"a": Decimal("-0.0")}, {"a": 0}),
        ({"a": [{"c": 1, "d": None}]}, {"a": [{"d": None, "c": Decimal("1.0")}]}),
    ],
)
def test_the_same_usage_written_otherwise_is_one_record(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert digest(one) == digest(other)


def test_the_same_period_in_another_zone_is_one_record() -> None:
    start, end = at("2026-01-01"), at("2026-02-01")
    assert usage_digest("s", start, end, {}) == usage_digest("s", start.astimezone(BERLIN), end.astimezone(BERLIN), {})


def test_other_usage_is_another_record() -> None:
    values: list[Any] = [1, "1", 10, -1, Decimal("0.1"), True, "true", None]
    values += [[1, 2], [2, 1], [12], [[1], 2], {}, []]
    payloads: list[dict[str, Any]] = [{}, {"b": 1}, {'a":1,"b': 1}, *({"a": value} for value in values)]
    digests = [digest(payload) for payload in payloads]
    digests += [digest({}, sub="sub-2"), digest({}, start="2026-01-02"), digest({}, end="2026-02-02")]
    digests.append(usage_digest("sub-1", at("2026-01-01") + timedelta(microseconds=1), at("2026-02-01"), {}))
    assert len(set(digests)) == len(digests)
    assert all(len(one) == 64 for one in digests)


def test_a_payload_nested_beyond_reason_is_refused() -> None:
    payload: dict[str, Any] = {}
    for _ in range(2000):
        payload = {"a": payload}
    with pytest.raises(Invalid, match="nested"):
        digest(payload)
