"""Customer profiles on the wire."""

from decabilld.domain.entities import CustomerProfile
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


def profile_view(profile: CustomerProfile) -> dict[str, object]:
    return {
        "id": profile.id,
        "userId": profile.user_id,
        **{wire: getattr(profile, name) for wire, name in _FIELDS.items()},
        "createdAt": instant(profile.created_at),
        "updatedAt": instant(profile.updated_at),
    }


def no_profile_view() -> dict[str, object]:
    """Before there is a profile: every field null, and nothing that identifies one."""
    return dict.fromkeys(_FIELDS)
