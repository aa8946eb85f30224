"""The pages under /docs: served from the package alone, under a strict policy, and allowed to try what they show."""

import re

from tests.http.conftest import StartEdge
from tests.http.edge import PASSWORD, Edge

REGISTRATION = {"email": "ada@example.com", "password": PASSWORD}


async def test_everything_that_a_page_names_is_served(edge: Edge) -> None:
    for page, named_from in (("/docs", "/"), ("/docs/socket", "/docs/")):
        status, body, response = await edge.call("GET", page)
        html = body.decode()
        assert (status, response.content_type, response.charset) == (200, "text/html", "utf-8")
        assert '<meta charset="utf-8"' in html
        named = re.findall(r'(?:src|href)="([^"]+\.(?:js|css|svg))"', html)
        assert len(named) >= 4
        for name in named:
            status, content, response = await edge.call("GET", named_from + name)
            assert (status, response.headers["X-Content-Type-Options"]) == (200, "nosniff"), name
            assert len(content) > 100
    assert (await edge.call("GET", "/docs/assets/vendor/../docs.html"))[0] == 404
    assert (await edge.call("GET", "/docs/assets/vendor/versions.json"))[0] == 404


async def test_a_page_may_run_and_ask_nothing_of_others(start_edge: StartEdge) -> None:
    edge = await start_edge(websocket_url="https://live.example.com/")
    policies = {}
    for page in ("/docs", "/docs/socket"):
        _, body, response = await edge.call("GET", page)
        policies[page] = response.headers["Content-Security-Policy"]
        assert "unsafe" not in policies[page]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policies[page]
        assert not re.search(rb"<script>|<style|style=|https?://", body)
    assert "connect-src 'self';" in policies["/docs"]
    assert "connect-src 'self' https://live.example.com wss://live.example.com;" in policies["/docs/socket"]
    assert response.headers["Cache-Control"] == "no-cache"
    # What is no page keeps the policy that forbids all.
    _, _, response = await edge.call("GET", "/api/health")
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    # And no browser keeps it: it may be somebody's invoice.
    assert response.headers["Cache-Control"] == "no-store"


async def test_no_host_writes_its_own_policy(edge: Edge) -> None:
    for path in ("/docs/socket", "/api/config"):
        for host in ("x;script-src *", "x, script-src", "x'"):
            assert (await edge.call("GET", path, Host=host))[0] == 400, host
        for host in ("billing.example.org", "[::1]:3200", "xn--bcher-kva.example:80", "my_host"):
            assert (await edge.call("GET", path, Host=host))[0] == 200, host


async def test_our_own_pages_may_change_things_where_others_may_not(start_edge: StartEdge) -> None:
    edge = await start_edge(cors_origins=("https://app.example.org",), public_url="https://billing.example.org/api")
    own = str(edge.client.make_url("/")).rstrip("/")
    for number, origin in enumerate((own, "https://billing.example.org", "https://app.example.org")):
        person = {**REGISTRATION, "email": f"{number}@example.com"}
        assert (await edge.call("POST", "/api/auth/register", person, Origin=origin))[0] == 201, origin
    for origin in (own.replace("http:", "https:"), f"{own}0", "https://billing.example.org.evil.example", "null"):
        assert (await edge.call("POST", "/api/auth/register", REGISTRATION, Origin=origin))[0] == 403, origin
