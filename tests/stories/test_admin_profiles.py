"""Stories of customer profiles that the operator keeps."""

from decabilld.domain.entities import CustomerProfile
from tests.harness.people import PROFILE, Admin

PROFILES = "/admin/billing/customer-profiles"


async def test_the_operator_writes_a_profile_for_somebody(admin: Admin) -> None:
    anna = await admin.customer("anna", with_profile=False)
    made = await admin.post(PROFILES, {"userId": anna.id, "firstName": "Anna"})
    assert (made["userId"], made["firstName"], made["stripeCustomerId"]) == (anna.id, "Anna", None)
    path = f"{PROFILES}/{made['id']}"
    assert (await admin.get(path))["isComplete"] is False
    assert (await admin.refused("POST", PROFILES, {"userId": anna.id})).status == 409
    assert (await admin.refused("POST", PROFILES, {"userId": made["id"]})).status == 404
    assert (await admin.refused("POST", PROFILES, {"firstName": "Nobody"})).status == 400
    changed = await admin.post(path, {**PROFILE, "email": anna.email, "country": "de"})
    assert (changed["id"], changed["country"]) == (made["id"], "DE")
    shown = await admin.get(path)
    assert (shown["isComplete"], shown["userEmail"]) == (True, anna.email)
    assert await anna.get("/customer-profile") == changed


async def test_profiles_are_listed_newest_first(admin: Admin) -> None:
    anna, ben = await admin.customer("anna"), await admin.customer("ben", city=None)
    listed = await admin.get(f"{PROFILES}?limit=5")
    assert (listed["total"], listed["limit"], listed["offset"]) == (2, 5, 0)
    assert [(one["userEmail"], one["firstName"], one["isComplete"]) for one in listed["items"]] == [
        (ben.email, "Ben", False),
        (anna.email, "Anna", True),
    ]
    second = await admin.get(f"{PROFILES}?limit=1&offset=1")
    assert ([one["userId"] for one in second["items"]], second["total"]) == ([anna.id], 2)
    await admin.call("DELETE", f"/users/{ben.id}")
    assert (await admin.get(PROFILES))["total"] == 1
    assert (await admin.refused("GET", f"{PROFILES}/{listed['items'][0]['id']}")).status == 404


async def test_only_a_profile_that_nothing_was_billed_to_is_deleted(admin: Admin) -> None:
    await admin.move_to("2024-01-10 00:00")
    plan = await admin.plan("M", "31.00")
    anna, ben, cora, dora = [await admin.customer(name) for name in ("anna", "ben", "cora", "dora")]
    listed = (await admin.get(PROFILES))["items"]
    paths = {one["userId"]: f"{PROFILES}/{one['id']}" for one in listed}
    await anna.orders(plan)  # has a subscription
    ended = await ben.orders(plan)  # had one, and a paid invoice
    await admin.move_to("2024-01-15 00:00")
    await ben.cancels(ended)
    await admin.marks_paid((await admin.post(f"/invoices/{ended}"))["invoiceRefId"])
    line = {"description": "x", "quantity": 1, "unitPriceNet": 0}
    draft = await admin.post("/admin/billing/invoices/manual", {"userId": cora.id, "lineItems": [line]})
    for customer in (anna, ben, cora):
        assert (await admin.refused("DELETE", paths[customer.id])).status == 400
    await admin.call("DELETE", f"/admin/billing/invoices/{draft['id']}")
    await admin.call("DELETE", paths[cora.id])
    draft = await admin.post("/admin/billing/invoices/manual", {"userId": dora.id, "lineItems": [line]})
    await admin.post(f"/admin/billing/invoices/{draft['id']}/issue")  # paid at once, so only the database has it
    assert (await admin.refused("DELETE", paths[dora.id])).status == 400
    assert (await admin.refused("GET", paths[cora.id])).status == 404
    assert (await admin.refused("POST", paths[cora.id], {"firstName": "C"})).status == 404
    assert await admin.audit.rows(CustomerProfile, admin.tenant, "user_id = %s", cora.id) == []
    assert (await cora.get("/customer-profile"))["firstName"] is None
    await cora.fills_in_profile(city="Bonn")  # and begins anew
    assert (await cora.get("/customer-profile"))["city"] == "Bonn"
