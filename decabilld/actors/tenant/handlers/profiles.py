"""Customer profiles: whom invoices are addressed to. Issued invoices keep the address they were issued to."""

from msgspec.structs import replace

from decabilld.actors.tenant.handlers.notices import address_of
from decabilld.actors.tenant.handlers.processor_customers import with_address_told
from decabilld.actors.tenant.handlers.users import user_of
from decabilld.actors.tenant.indexes import INVOICES_OF_USER, POSITIONS_OF_USER, PROFILE_OF_USER, SUBSCRIPTIONS_OF_USER
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import CustomerProfile
from decabilld.domain.refusals import Conflict, Invalid, NotFound
from decabilld.messages.commands import CreateCustomerProfile, DeleteCustomerProfile, UpdateCustomerProfile
from decabilld.messages.decision import Context, Decision, Entry


def update_customer_profile(state: TenantState, command: UpdateCustomerProfile, context: Context) -> Decision:
    """Creates the profile when there is none. The journal names the fields, not the person's data."""
    user_of(state, command.user_id)
    known = state.first(PROFILE_OF_USER, command.user_id)
    if command.profile_id is not None and (known is None or known.id != command.profile_id):
        raise NotFound("Customer profile")
    if known is None:
        kind, message = "customer_profile.created", "Customer profile created"
        known = CustomerProfile(
            id=context.new_id(), user_id=command.user_id, created_at=context.now, updated_at=context.now
        )
    else:
        kind, message = "customer_profile.updated", "Customer profile updated"
    changed = replace(known, updated_at=context.now, **command.fields)
    entry = Entry(
        kind=kind, message=message, entity=changed, user_id=command.user_id, data={"fields": sorted(command.fields)}
    )
    decision = Decision(reply=changed, changes=(changed,), entries=(entry,))
    return with_address_told(state, decision, command.user_id, context, known=address_of(state, command.user_id))


def create_customer_profile(state: TenantState, command: CreateCustomerProfile, context: Context) -> Decision:
    """Raises Conflict for somebody who has one."""
    if state.first(PROFILE_OF_USER, command.user_id) is not None:
        raise Conflict("This user has a customer profile already")
    return update_customer_profile(
        state, UpdateCustomerProfile(user_id=command.user_id, fields=command.fields), context
    )


def delete_customer_profile(state: TenantState, command: DeleteCustomerProfile, context: Context) -> Decision:
    """The person's data is gone for good. Raises Invalid, saying what there is, for somebody who is a customer."""
    profile = state.get(CustomerProfile, command.profile_id)
    if profile is None:
        raise NotFound("Customer profile")
    user_id = profile.user_id
    held = {
        "subscriptions": state.count(SUBSCRIPTIONS_OF_USER, user_id) + state.ended.get(user_id, 0),
        "invoices": max(state.count(INVOICES_OF_USER, user_id), command.invoices),
        "open positions": state.count(POSITIONS_OF_USER, user_id),
    }
    if any(held.values()):
        counted = ", ".join(f"{what}: {count}" for what, count in held.items() if count)
        raise Invalid(f"A profile with invoices or subscriptions can't be deleted ({counted})")
    entry = Entry(kind="customer_profile.deleted", message="Customer profile deleted", entity=profile, user_id=user_id)
    return Decision(reply=profile, removed=(profile,), entries=(entry,))
