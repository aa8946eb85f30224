"""Customer profiles: whom an invoice is addressed to."""

from marshmallow import fields

from decabilld.http.schemas.base import Answer, Request
from decabilld.http.schemas.fields import Choice, Count, Country, Email, Flag, Id, Instant, Text

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
    vat_id = Text(32, allow_none=True, metadata={"nullable_in_contract": True})


class CreateAdminCustomerProfileDtoSchema(CustomerProfileDtoSchema):
    user_id = Id(required=True)


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


class AdminCustomerProfileDetailResponseSchema(CustomerProfileResponseSchema):
    user_email = Email(allow_none=True)
    is_complete = Flag()


class AdminCustomerProfileListItemSchema(Answer):
    id = Id()
    user_id = Id()
    user_email = Email(allow_none=True)
    first_name = Text(allow_none=True)
    last_name = Text(allow_none=True)
    company = Text(allow_none=True)
    email = Email(allow_none=True)
    country = Text(allow_none=True)
    is_complete = Flag()
    stripe_customer_id = Text(allow_none=True)
    created_at = Instant()
    updated_at = Instant()


class PaginatedAdminCustomerProfilesResponseSchema(Answer):
    items = fields.List(fields.Nested(AdminCustomerProfileListItemSchema))
    total = Count()
    limit = Count()
    offset = Count()
