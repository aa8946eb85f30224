"""Customer profiles: whom an invoice is addressed to."""

from decabilld.http.schemas.base import Answer, Request
from decabilld.http.schemas.fields import Choice, Country, Email, Id, Instant, Text

CUSTOMER_TYPES = ("business", "consumer")


class CustomerProfileDtoSchema(Request):
    first_name = Text(allow_none=True)
    last_name = Text(allow_none=True)
    company = Text(allow_none=True)
    address_line1 = Text(allow_none=True)
    address_line2 = Text(allow_none=True)
    postal_code = Text(32, allow_none=True)
    city = Text(allow_none=True)
    state = Text(allow_none=True)
    country = Country(allow_none=True)
    email = Email(allow_none=True)
    phone = Text(64, allow_none=True)
    customer_type = Choice(*CUSTOMER_TYPES, allow_none=True)
    vat_id = Text(32, allow_none=True)


class CustomerProfileResponseSchema(Answer):
    """Before a customer has a profile, what identifies one is absent and all else is null."""

    id = Id(metadata={"sometimes": True})
    user_id = Id(metadata={"sometimes": True})
    first_name = Text(allow_none=True)
    last_name = Text(allow_none=True)
    company = Text(allow_none=True)
    address_line1 = Text(allow_none=True)
    address_line2 = Text(allow_none=True)
    postal_code = Text(allow_none=True)
    city = Text(allow_none=True)
    state = Text(allow_none=True)
    country = Text(allow_none=True)
    email = Email(allow_none=True)
    phone = Text(allow_none=True)
    customer_type = Choice(*CUSTOMER_TYPES, allow_none=True)
    vat_id = Text(allow_none=True)
    stripe_customer_id = Text(allow_none=True)
    created_at = Instant(metadata={"sometimes": True})
    updated_at = Instant(metadata={"sometimes": True})
