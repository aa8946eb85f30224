"""Rate limits, proxies, origins and security headers."""

from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from decabilld.http import limits
from decabilld.http.limits import Limiter, Proxies, RateLimit
from tests.http.conftest import StartEdge
from tests.http.edge import PASSWORD, Edge

OFFERINGS = "/api/public/service-plan-offerings"
LOCAL = (ip_network("127.0.0.0/8"), ip_network("::1"))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_window_begins_with_its_first_request_and_ends_in_time() -> None:
    clock = Clock()
    limiter = Limiter(RateLimit(limit=2, seconds=60), clock)
    assert [limiter.take("a", "r").remaining for _ in range(4)] == [1, 0, -1, -1]
    assert (limiter.take("b", "r").remaining, limiter.take("a", "s").remaining) == (1, 1)
    clock.now += 59.5
    assert (limiter.take("a", "r").remaining, limiter.take("a", "r").reset_seconds) == (-1, 1)
    clock.now += 0.5
    assert limiter.take("a", "r").remaining == 1


def test_windows_are_bounded_and_the_expired_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WINDOWS_MAX", 100)
    clock = Clock()
    limiter = Limiter(RateLimit(limit=1, seconds=60), clock)
    for number in range(1000):
        limiter.take(str(number), "r")
    assert len(limiter) == 100
    assert limiter.take("999", "r").remaining == -1
    clock.now += 60
    limiter.take("new", "r")
    assert len(limiter) == 1


FORWARDED = [
    ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
    ("10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),
    ("10.0.0.1", "1.2.3.4, 10.0.0.9", "1.2.3.4"),
    ("10.0.0.1", "nonsense", "10.0.0.1"),
    ("10.0.0.1", "nonsense, 10.0.0.9", "10.0.0.9"),
    ("10.0.0.1", "", "10.0.0.1"),
    ("::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1"),
    ("5.5.5.5", "1.2.3.4", "5.5.5.5"),
]


def test_only_trusted_proxies_say_who_the_client_is() -> None:
    proxies, nobody = Proxies((ip_network("10.0.0.0/8"),)), Proxies(())
    for peer, header, client in FORWARDED:
        request: Any = make_mocked_request("GET", "/", {"X-Forwarded-For": header, "X-Forwarded-Proto": "https"})
        request = request.clone(remote=peer)
        assert proxies.client_of(request) == client, (peer, header)
        assert nobody.client_of(request) == peer
        assert proxies.came_by_tls(request) == (peer != "5.5.5.5")
        assert not nobody.came_by_tls(request)


async def test_a_client_is_told_its_limit_and_stopped_at_it(start_edge: StartEdge) -> None:
    edge = await start_edge(rate_limit=RateLimit(limit=3, seconds=60), trusted_proxies=LOCAL)
    told = [(await edge.call("GET", OFFERINGS))[2] for _ in range(4)]
    assert [answer.status for answer in told] == [200, 200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in told] == ["2", "1", "0", "0"]
    assert {answer.headers["X-RateLimit-Limit"] for answer in told} == {"3"}
    assert 0 < int(told[3].headers["Retry-After"]) <= 60
    assert told[3].headers["Retry-After"] == told[3].headers["X-RateLimit-Reset"]
    assert (await edge.call("GET", OFFERINGS, X_Forwarded_For="9.9.9.9"))[0] == 200
    assert (await edge.call("GET", f"{OFFERINGS}/cheapest"))[0] == 404
    for path in ("/api/health", "/api/ready"):
        answers = [(await edge.call("GET", path))[2] for _ in range(5)]
        assert {answer.status for answer in answers} == {200}
        assert "X-RateLimit-Limit" not in answers[0].headers
    assert [(await edge.call("GET", "/api/config"))[0] for _ in range(4)] == [200, 200, 200, 429]


async def test_passwords_and_codes_can_be_tried_ten_times_a_minute(start_edge: StartEdge) -> None:
    edge = await start_edge(rate_limit=RateLimit(limit=10_000))
    email, code = "ada@example.org", "AAAAAA"
    for path, body in (
        ("login", {"email": email, "password": PASSWORD}),
        ("register", {"email": email}),
        ("confirm-email", {"email": email, "code": code}),
        ("request-password-reset", {"email": "x"}),
        ("reset-password", {"email": email, "code": code}),
    ):
        statuses = [(await edge.call("POST", f"/api/auth/{path}", body))[0] for _ in range(11)]
        assert 429 not in statuses[:10], path
        assert statuses[10] == 429, path


async def test_without_a_limit_nothing_is_counted(edge: Edge) -> None:
    answers = [(await edge.call("POST", "/api/auth/login", {"email": "x"}))[2] for _ in range(12)]
    assert {answer.status for answer in answers} == {400}
    assert "X-RateLimit-Limit" not in answers[0].headers


APP = "https://app.example.org"


async def test_a_preflight_tells_what_the_path_takes(start_edge: StartEdge) -> None:
    edge = await start_edge(cors_origins=(APP, "http://localhost:4200/"))
    asked = {"Origin": APP, "Access_Control_Request_Method": "POST"}
    status, body, response = await edge.call("OPTIONS", "/api/users", **asked)
    headers = response.headers
    assert (status, body, headers["Access-Control-Allow-Origin"]) == (204, b"", APP)
    assert headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS, POST"
    wanted = {"authorization", "content-type", "x-tenant", "idempotency-key", "x-correlation-id"}
    assert set(headers["Access-Control-Allow-Headers"].split(",")) == wanted
    assert headers["Vary"] == "Origin"
    status, _, response = await edge.call("OPTIONS", "/api/users", **{**asked, "Origin": "https://evil.example"})
    assert (status, "Access-Control-Allow-Origin" in response.headers) == (204, False)


async def test_pages_of_other_origins_may_change_nothing(start_edge: StartEdge) -> None:
    edge = await start_edge(cors_origins=(APP,))
    registration = {"email": "ada@example.org", "password": PASSWORD}
    for origin in ("https://evil.example", "null", f"{APP}.evil.example", "http://app.example.org"):
        status, body, response = await edge.call("POST", "/api/auth/register", registration, Origin=origin)
        assert (status, body["error"]) == (403, "Forbidden"), origin
        assert "Access-Control-Allow-Origin" not in response.headers
        assert (await edge.call("GET", OFFERINGS, Origin=origin))[0] == 200
    status, _, response = await edge.call("POST", "/api/auth/register", registration, Origin=APP)
    assert (status, response.headers["Access-Control-Allow-Origin"]) == (201, APP)
    assert "x-ratelimit-remaining" in response.headers["Access-Control-Expose-Headers"]
    assert (await edge.call("POST", "/api/auth/login", registration))[0] == 200


async def test_outside_production_any_page_may_call(edge: Edge) -> None:
    status, _, response = await edge.call("GET", "/api/users", Origin="https://any.example")
    assert (status, response.headers["Access-Control-Allow-Origin"]) == (401, "*")


async def test_every_answer_carries_the_security_headers(start_edge: StartEdge) -> None:
    edge = await start_edge(trusted_proxies=LOCAL)
    for path in (OFFERINGS, "/api/users", "/api/nowhere", "/api/health", "/spec/billing-manager/openapi.yaml"):
        headers = (await edge.call("GET", path))[2].headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "Strict-Transport-Security" not in headers
    headers = (await edge.call("GET", OFFERINGS, X_Forwarded_Proto="https"))[2].headers
    assert headers["Strict-Transport-Security"].startswith("max-age=")
    untrusting = await start_edge()
    headers = (await untrusting.call("GET", OFFERINGS, X_Forwarded_Proto="https"))[2].headers
    assert "Strict-Transport-Security" not in headers


async def test_the_configuration_is_public_and_holds_no_secret(start_edge: StartEdge) -> None:
    edge = await start_edge(disable_signup=True, websocket_port=8082, trusted_proxies=LOCAL)
    status, config, _ = await edge.call(
        "GET", "/api/config", Host="billing.example.org", X_Forwarded_Proto="https", X_Tenant="acme"
    )
    assert status == 200
    version = config.pop("version")
    assert version[0].isdigit()
    assert config == {
        "product": "decabilld",
        "authenticationMethod": "users",
        "disableSignup": True,
        "keycloak": None,
        "currency": "EUR",
        "minCheckoutAmount": 1,
        "timeZone": "Europe/Berlin",
        "testClock": True,
        "apiUrl": "https://billing.example.org/api",
        "websocketUrl": "https://billing.example.org:8082",
        "websocketNamespace": "/billing",
        "tenant": "acme",
    }
    assert (await edge.call("GET", "/api/config", X_Tenant="nobody"))[0] == 400
    strict = await start_edge(tenants_allow_default=False, public_url="https://a.example/api")
    config = (await strict.call("GET", "/api/config"))[1]
    assert (config["tenant"], config["apiUrl"]) == (None, "https://a.example/api")
