"""Clients generated of the document work: TypeScript's tells both whole stories, Python's logs in and reads."""

import asyncio
import importlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clients import PACKAGE, make_python, make_typescript
from tests.contract.tools import NODE, require_java, require_node
from tests.harness.daemons import DaemonProcess, daemon_process
from tests.harness.people import PASSWORD
from tests.stripe.fake_stripe import FakeStripe

pytestmark = pytest.mark.timeout(280)
STORY_SECONDS = 90


@pytest.fixture
async def stripe() -> AsyncIterator[FakeStripe]:
    async with FakeStripe() as stripe:
        yield stripe


@pytest.fixture
async def daemon(stripe: FakeStripe) -> AsyncIterator[DaemonProcess]:
    keys = {"STRIPE_SECRET_KEY": stripe.secret_key, "STRIPE_WEBHOOK_SECRET": stripe.webhook_secret}
    async with daemon_process(**keys, STRIPE_API_BASE=stripe.base_url) as daemon:
        yield daemon


async def test_typescript_tells_the_whole_story(tmp_path: Path, daemon: DaemonProcess, stripe: FakeStripe) -> None:
    require_node()
    require_java()
    compiled = await asyncio.to_thread(make_typescript, tmp_path / "client", NODE / "story.ts")
    node = await asyncio.create_subprocess_exec(
        "node",
        compiled / "story.js",
        env={**os.environ, "API_URL": daemon.url},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert node.stdin is not None
    assert node.stdout is not None
    assert node.stderr is not None
    said: dict[str, Any] = {}
    try:
        async with asyncio.timeout(STORY_SECONDS):
            async for line in node.stdout:
                said = json.loads(line)
                if said.get("ask") == "code":
                    node.stdin.write(f"{_code(daemon.log, said['email'])}\n".encode())
                elif said.get("ask") == "pay":
                    deliveries = stripe.complete(said["url"].rpartition("/")[2])
                    assert set(await stripe.deliver(f"{daemon.url}/webhooks/payments/stripe", deliveries)) == {200}
                    node.stdin.write(b"paid\n")
            faults = (await node.stderr.read()).decode()
            assert await node.wait() == 0, faults
    finally:
        if node.returncode is None:
            node.kill()
        await node.wait()
    assert said["told"] >= 1


async def test_python_logs_in_and_reads(tmp_path: Path, daemon: DaemonProcess) -> None:
    require_java()
    made = str(await asyncio.to_thread(make_python, tmp_path / "client"))
    admin = await daemon.admin()
    plan = await admin.plan(price="9.9000")
    sys.path.insert(0, made)
    try:
        client = importlib.import_module(PACKAGE)
        users = await asyncio.to_thread(_read, client, daemon.url, admin.email, plan)
    finally:
        sys.path.remove(made)
    assert [user.email for user in users] == [admin.email]


def _read(client: Any, url: str, email: str, plan: str) -> Any:
    configuration = client.Configuration(host=url)
    with client.ApiClient(configuration) as caller:
        entered = client.AuthenticationApi(caller).login(client.LoginDto(email=email, password=PASSWORD))
        configuration.access_token = entered.access_token
        shown = client.CatalogApi(caller).get_service_plan(plan)
        assert (shown.base_price, shown.margin_fixed) == ("9.9000", None)
        with pytest.raises(client.exceptions.NotFoundException):
            client.SubscriptionsApi(caller).get_subscription(plan)
        return client.UsersApi(caller).list_users(limit=5)


def _code(log: Path, email: str) -> str:
    """The code that a daemon without a mail server has logged."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return str(
        next(
            one["code"] for one in reversed(lines) if one.get("event") == "confirmation_code" and one["email"] == email
        )
    )
