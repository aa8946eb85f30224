"""The test clock: moves a tenant's time forward. Only there in a daemon that was started with TEST_CLOCK=true."""

from aiohttp import web

from decabilld.http.call import Call
from decabilld.http.operation import Auth, operation
from decabilld.http.schemas import admin_billing
from decabilld.http.views.admin_billing import test_clock_view
from decabilld.http.views.wire import instant
from decabilld.messages.commands import MoveTestClock

TAG = "Administration"
MOVE_SECONDS = 3600.0
"""A long way with many subscriptions takes its time; whoever asked for it waits."""


@operation(
    "GET",
    "/admin/billing/test-clock",
    id="getTestClock",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="The tenant's time",
    description="Where the test clock stands; real time until it is moved for the first time.",
    answer=admin_billing.TestClockResponseSchema,
)
async def get_test_clock(call: Call) -> web.Response:
    return call.answer({"now": instant(call.now)})


@operation(
    "POST",
    "/admin/billing/test-clock",
    id="moveTestClock",
    auth=Auth.ADMIN,
    tag=TAG,
    summary="Move the tenant's time",
    description="Forward only. Answers when all that fell due on the way is done, each piece at its own instant.",
    answer=admin_billing.TestClockResponseSchema,
    body=admin_billing.TestClockDtoSchema,
)
async def move_test_clock(call: Call) -> web.Response:
    return await call.ask(MoveTestClock(to=call.body["now"]), test_clock_view, timeout_seconds=MOVE_SECONDS)
