"""Both pages under /docs in Debian's Chromium: read, tried, without a console error or a request that leaves."""

import os
import re
import shutil
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.contract.tools import lacking
from tests.harness.daemons import DaemonProcess, daemon_process
from tests.harness.people import PASSWORD, Admin

STEP_MS = 20_000
# Chromium's advice on password fields is no fault of a page.
ADVICE = "[DOM]"


@pytest.fixture
def chromium() -> str:
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        lacking("needs Chromium: `apt-get install chromium`, or say where it is with CHROMIUM=…")
    return str(found)


@pytest.fixture
async def daemon() -> AsyncIterator[DaemonProcess]:
    async with daemon_process(LOG_LEVEL="error") as daemon:
        yield daemon


@pytest.fixture
async def page(chromium: str) -> AsyncIterator[Page]:
    """A page; what its console says, and whom it asks, is held against it in the end."""
    said: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 1400, "height": 950})
        page.set_default_timeout(STEP_MS)
        page.on("console", lambda one: said.append(one.text) if not one.text.startswith(ADVICE) else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if _leaves(request.url) else None)
        yield page
        await browser.close()
    assert said == []


async def test_an_operation_is_tried_on_the_page(page: Page, daemon: DaemonProcess) -> None:
    admin = await daemon.admin()
    await page.goto(daemon.url.replace("/api", "/docs"))
    answer = await _try(page, "login", f'{{"email": "{admin.email}", "password": "{PASSWORD}"}}')
    assert "access_token" in answer
    # Logging in has filled in the token; the tenant is for every request.
    await expect(page.get_by_label("Token")).to_have_value(re.compile("^ey"))
    await page.get_by_label("Tenant", exact=True).fill("default")
    assert admin.email in await _try(page, "listUsers")
    created = '{"name": "Basic", "billingIntervalType": "month", "billingIntervalValue": 1, "basePrice": "9.9000"}'
    assert '"basePrice": "9.9000"' in await _try(page, "createServicePlan", created)


@pytest.mark.heavy
async def test_tenant_and_token_go_with_every_request(page: Page, daemon: DaemonProcess) -> None:
    await page.goto(daemon.url.replace("/api", "/docs"))
    async with page.expect_request("**/api/public/**") as asked:
        await page.get_by_label("Tenant", exact=True).fill("default")
        await page.get_by_label("Token").fill("ApiKey abc")
        await _try(page, "listPublicServicePlanOfferings")
    request = await asked.value
    assert (request.headers["x-tenant"], request.headers["authorization"]) == ("default", "ApiKey abc")


async def test_a_snapshot_is_received_on_the_page(page: Page, daemon: DaemonProcess) -> None:
    admin: Admin = await daemon.admin()
    await page.goto(daemon.url.replace("/api", "/docs/socket"))
    await expect(page.locator("#asyncapi")).to_contain_text("dashboardStatusUpdate")
    await page.get_by_label("Token").fill("not a token")
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.get_by_role("status")).to_have_text("Unauthorized")
    await page.get_by_label("Token").fill(admin.token)
    await page.get_by_label("Tenant").fill("default")
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.get_by_role("status")).to_have_text("Connected")
    await page.get_by_role("button", name="Subscribe", exact=True).click()
    snapshot = page.get_by_role("list", name="Events").get_by_role("listitem").filter(has_text="dashboardStatusUpdate")
    await expect(snapshot).to_contain_text('"items": []')
    await page.get_by_role("button", name="Disconnect").click()
    await expect(page.get_by_role("status")).to_contain_text("Disconnected")


async def _try(page: Page, name: str, body: str | None = None) -> str:
    """What the page shows of the answer."""
    operation = page.locator(f"[id$='-{name}'].opblock")
    await operation.locator(".opblock-summary-control").click()
    await operation.get_by_role("button", name="Try it out").click()
    if body is not None:
        await operation.locator("textarea.body-param__text").fill(body)
    await operation.get_by_role("button", name="Execute").click()
    shown: Any = operation.locator(".live-responses-table .response-col_description pre").first
    return str(await shown.inner_text())


def _leaves(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in ("127.0.0.1", "localhost")
