"""Customer profiles on the wire."""

from decabilld.domain.entities import CustomerProfile
from decabilld.domain.invoices import missing_of_profile
from decabilld.http.views.wire import instant

_FIELDS = {
    "firstName": "first_name",
    "lastName": "last_name",
    "company": "company",
    "addressLine1": "address_line1",
    "addressLine2": "address_line2",
    "postalCode": "postal_code",
    "city": "city",
    "state": "state",
    "country": "country",
    "email": "email",
    "phone": "phone",
    "customerType": "customer_type",
    "vatId": "vat_id",
    "stripeCustomerId": "stripe_customer_id",
}

_LISTED = (
    *("id", "userId", "userEmail", "firstName", "lastName", "company", "email", "country"),
    *("isComplete", "stripeCustomerId", "createdAt", "updatedAt"),
)


def profile_view(profile: CustomerProfile) -> dict[str, object]:
    return {
        "id": profile.id,
        "userId": profile.user_id,
        **{wire: getattr(profile, name) for wire, name in _FIELDS.items()},
        "createdAt": instant(profile.created_at),
        "updatedAt": instant(profile.updated_at),
    }


def admin_profile_view(profile: CustomerProfile, user_email: str | None) -> dict[str, object]:
    """A profile as the operator sees it; `isComplete`: its owner can order and be invoiced."""
    return {**profile_view(profile), "userEmail": user_email, "isComplete": not missing_of_profile(profile)}


def listed_profile_view(profile: CustomerProfile, user_email: str | None) -> dict[str, object]:
    shown = admin_profile_view(profile, user_email)
    return {name: shown[name] for name in _LISTED}


def no_profile_view() -> dict[str, object]:
    """Before there is a profile: every field null, and nothing that identifies one."""
    return dict.fromkeys(_FIELDS)
