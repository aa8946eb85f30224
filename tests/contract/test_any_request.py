"""Any request that the OpenAPI document allows, and any that it doesn't, by schemathesis against a running daemon:
never a 5xx, always a documented status, every answer as its schema says, and nothing wrong is taken.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from decabilld.http.app import all_operations
from decabilld.http.openapi import openapi_document
from decabilld.http.operation import Auth, Operation
from tests.contract.shop import Shop, open_shop
from tests.harness.people import PASSWORD

VALID, WRONG = 50, 25
"""Of valid and of invalid requests each, for every operation."""
CALL_SECONDS = 30
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = {operation.id: operation for operation in all_operations()}
FALLIBLE = [name for name, operation in OPERATIONS.items() if operation.body or operation.query or operation.path_ids]
"""With anything that could be wrong."""
END_SESSIONS = {"logout", "changePassword"}
# What they do to whoever asks would change what the others are answered.
BY_THE_LEAVER = END_SESSIONS | {"updateCustomerProfile"}
KINDS = {
    "/backorders": "backorderId",
    "/users": "userId",
    "/service-types": "serviceTypeId",
    "/service-plans": "planId",
    "/admin/billing/customer-profiles": "profileId",
}
OWN = {"invoiceRefId": "ownInvoiceRefId"}


def _without_headers(document: dict[str, Any]) -> dict[str, Any]:
    """A made-up tenant would be refused before anything else is looked at, whatever is wrong with the rest."""
    for described in (one for methods in document["paths"].values() for one in methods.values()):
        described["parameters"] = [one for one in described["parameters"] if "$ref" not in one]
    return document


_SCHEMA = schemathesis.openapi.from_dict(_without_headers(openapi_document(OPERATIONS.values())))
_SCHEMA.config.generation.update(with_security_parameters=False, modes=list(GenerationMode))
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@pytest.fixture(scope="module")
def shop(module_database: str) -> Iterator[Shop]:
    with open_shop(module_database) as shop:
        yield shop


@pytest.mark.timeout(280)
@pytest.mark.parametrize(
    ("name", "wrong"), [*((name, False) for name in OPERATIONS), *((name, True) for name in FALLIBLE)]
)
def test_any_request_is_answered_as_documented(name: str, wrong: bool, shop: Shop) -> None:
    operation = OPERATIONS[name]
    mode = GenerationMode.NEGATIVE if wrong else GenerationMode.POSITIVE
    described = _SCHEMA[operation.path][operation.method]
    session = requests.Session()
    # As Hypothesis' own warnings have it: what is slow here is the daemon, not the test.
    unhurried = settings(
        max_examples=WRONG if wrong else VALID,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    @unhurried
    @given(case=described.as_strategy(generation_mode=mode), pick=st.integers(0, 1 << 16))
    def holds(case: Case, pick: int) -> None:
        _make_real(case, operation, shop, pick, wrong=wrong)
        headers = {"Authorization": f"Bearer {_token(name, session, shop)}"}
        response = case.call(base_url=shop.url, session=session, headers=headers, timeout=CALL_SECONDS)
        if name in END_SESSIONS and response.status_code < 300:
            shop.leaver.token = ""
        checks = [*CHECKS, negative_data_rejection] if wrong else CHECKS
        case.validate_response(response, checks=checks)
        statuses[response.status_code] += 1

    statuses: Counter[int] = Counter()
    holds()
    # A session that has ended would hide everything else.
    assert name == "login" or not statuses[401], statuses
    if not wrong and (operation.method == "GET" or operation.tag in ("Servers", "Backorders")):
        assert statuses[operation.status], f"never about anything that there is: {statuses}"


def _token(name: str, session: requests.Session, shop: Shop) -> str:
    if name not in BY_THE_LEAVER:
        return shop.token
    if not shop.leaver.token:
        # The call before may have changed the password: the document's example knows the one that tests use.
        credentials = {"email": shop.leaver.email, "password": PASSWORD}
        reset = {"headers": {"Authorization": f"Bearer {shop.token}"}, "timeout": CALL_SECONDS}
        session.post(f"{shop.url}/users/{shop.leaver.id}", json={"password": PASSWORD}, **reset).raise_for_status()
        answer = session.post(f"{shop.url}/auth/login", json=credentials, timeout=CALL_SECONDS)
        answer.raise_for_status()
        shop.leaver.token = str(answer.json()["access_token"])
    return shop.leaver.token


def _make_real(case: Case, operation: Operation, shop: Shop, pick: int, *, wrong: bool) -> None:
    """Mostly about things that there are: made-up ids would only ever find nothing."""
    for name, value in case.path_parameters.items():
        kind = _kind_of(name, operation)
        known = shop.spare.get(kind) if operation.method == "DELETE" else shop.known.get(kind)
        if known and pick % 8 and (name in operation.path_texts or _is_id(value)):
            case.path_parameters[name] = known[pick % len(known)]
    if wrong:
        return
    if isinstance(case.body, dict):
        case.body = _storable(case.body, tame=pick % 4 > 0)
        for name in case.body.keys() & shop.known.keys():
            if case.body[name] is not None and pick % 8:
                case.body[name] = shop.known[name][pick % len(shop.known[name])]


def _kind_of(name: str, operation: Operation) -> str:
    """What the path's parameter is an id of."""
    if name == "id":
        return KINDS.get(operation.path.partition("/{")[0], name)
    if name == "subscriptionId" and "itemId" in operation.path_ids:
        return "serverSubscriptionId"
    own = operation.auth is Auth.CUSTOMER or "subscriptionId" in operation.path_ids
    return OWN.get(name, name) if own else name


def _is_id(value: object) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True


def _storable(value: Any, *, tame: bool) -> Any:
    """Without control characters, which no text may have, as the document says once for all; `tame` numbers are such
    as people write."""
    if isinstance(value, dict):
        return {_storable(key, tame=tame): _storable(below, tame=tame) for key, below in value.items()}
    if isinstance(value, list):
        return [_storable(below, tame=tame) for below in value]
    if isinstance(value, float) and tame:
        return round(value % 1_000, 2) + 0.01
    return _CONTROL.sub("x", value) if isinstance(value, str) else value
