"""Customer profiles: whom invoices are addressed to. Issued invoices keep the address they were issued to."""

from msgspec.structs import replace

from decabilld.actors.tenant.indexes import PROFILE_OF_USER
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import CustomerProfile, User
from decabilld.domain.refusals import NotFound
from decabilld.messages.commands import UpdateCustomerProfile
from decabilld.messages.decision import Context, Decision, Entry


def update_customer_profile(state: TenantState, command: UpdateCustomerProfile, context: Context) -> Decision:
    """Creates the profile when there is none. The journal names the fields, not the person's data."""
    if state.get(User, command.user_id) is None:
        raise NotFound("User")
    known = state.first(PROFILE_OF_USER, command.user_id)
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
    return Decision(reply=changed, changes=(changed,), entries=(entry,))
