"""Service types, service plans, the public offerings and the price preview."""

from typing import Any

from marshmallow import ValidationError, fields, post_load, validates

from decabilld.domain.entities import OrderingHighlight
from decabilld.http.schemas.base import Answer, Query, Request
from decabilld.http.schemas.fields import (
    PROSE_LENGTH,
    Amount,
    Choice,
    Count,
    Flag,
    FreeObject,
    Id,
    Instant,
    Price,
    QueryCount,
    Text,
    Tuple,
)

LONGEST_TERM_DAYS = 36_500
MOST_INTERVALS = 1000
INTERVALS = ("hour", "day", "month", "year")
TAX_CATEGORIES = ("standard", "reduced")


# --- service types ---


class UpdateServiceTypeDtoSchema(Request):
    name = Text()
    description = Text(PROSE_LENGTH, allow_none=True)
    provider = Text(100)
    config_schema = FreeObject(allow_none=True, metadata={"cleared": {}})
    is_active = Flag(allow_none=True, metadata={"cleared": True})
    disallow_statutory_withdrawal = Flag(allow_none=True, metadata={"cleared": False})


class CreateServiceTypeDtoSchema(UpdateServiceTypeDtoSchema):
    key = Text(100, required=True)
    name = Text(required=True)
    provider = Text(100, required=True)


class ServiceTypeResponseSchema(Answer):
    id = Id()
    key = Text()
    name = Text()
    description = Text(PROSE_LENGTH, allow_none=True)
    provider = Text()
    config_schema = FreeObject()
    is_active = Flag()
    disallow_statutory_withdrawal = Flag()
    created_at = Instant()
    updated_at = Instant()


# --- service plans ---


class ServicePlanOrderingHighlightSchema(Request):
    icon = Text(128, required=True)
    text = Text(512, required=True)

    @post_load
    def _to_value(self, loaded: dict[str, Any], **_: Any) -> OrderingHighlight:
        return OrderingHighlight(**loaded)


class UpdateServicePlanDtoSchema(Request):
    name = Text()
    description = Text(PROSE_LENGTH, allow_none=True)
    interval = Choice(*INTERVALS, data_key="billingIntervalType")
    interval_count = Count(1, MOST_INTERVALS, data_key="billingIntervalValue")
    billing_day_of_month = Count(1, 31, allow_none=True)
    cancel_at_period_end = Flag(allow_none=True, metadata={"cleared": True})
    min_commitment_days = Count(0, LONGEST_TERM_DAYS, allow_none=True, metadata={"cleared": 0})
    notice_days = Count(0, LONGEST_TERM_DAYS, allow_none=True, metadata={"cleared": 0})
    base_price = Price(allow_none=True)
    margin_percent = Price(digits=6, signed=True, allow_none=True)
    margin_fixed = Price(signed=True, allow_none=True)
    provider_config_defaults = FreeObject(allow_none=True, metadata={"cleared": {}})
    ordering_highlights = Tuple(
        fields.Nested(ServicePlanOrderingHighlightSchema), most=50, allow_none=True, metadata={"cleared": ()}
    )
    allow_customer_location_selection = Flag(allow_none=True, metadata={"cleared": False})
    allow_customer_server_type_selection = Flag(allow_none=True, metadata={"cleared": False})
    allowed_server_types = Tuple(Text(100), most=200, allow_none=True, metadata={"cleared": ()})
    is_active = Flag(allow_none=True, metadata={"cleared": True})
    tax_category = Choice(*TAX_CATEGORIES, allow_none=True, metadata={"cleared": "standard"})
    bill_in_advance = Flag(allow_none=True, metadata={"cleared": False})
    auto_recalculate_price_daily = Flag(allow_none=True, metadata={"unused": True})
    migrate_existing_subscriptions = Flag(allow_none=True, metadata={"unused": True})

    @validates("auto_recalculate_price_daily", "migrate_existing_subscriptions")
    def _refuse(self, value: bool | None, data_key: str) -> None:
        if value:
            raise ValidationError("not available")


class CreateServicePlanDtoSchema(UpdateServicePlanDtoSchema):
    class Meta(UpdateServicePlanDtoSchema.Meta):
        exclude = ("migrate_existing_subscriptions",)

    service_type_id = Id(allow_none=True)
    name = Text(required=True)
    interval = Choice(*INTERVALS, data_key="billingIntervalType", required=True)
    interval_count = Count(1, MOST_INTERVALS, data_key="billingIntervalValue", required=True)


class ServicePlanResponseSchema(Answer):
    id = Id()
    service_type_id = Id(allow_none=True)
    name = Text()
    description = Text(PROSE_LENGTH, allow_none=True)
    interval = Choice(*INTERVALS, data_key="billingIntervalType")
    interval_count = Count(1, data_key="billingIntervalValue")
    billing_day_of_month = Count(1, 31, allow_none=True)
    cancel_at_period_end = Flag()
    min_commitment_days = Count()
    notice_days = Count()
    base_price = Price(allow_none=True)
    margin_percent = Price(digits=6, signed=True, allow_none=True)
    margin_fixed = Price(signed=True, allow_none=True)
    provider_config_defaults = FreeObject()
    ordering_highlights = fields.List(fields.Nested(ServicePlanOrderingHighlightSchema))
    allow_customer_location_selection = Flag()
    is_active = Flag()
    tax_category = Choice(*TAX_CATEGORIES)
    bill_in_advance = Flag()
    allow_customer_server_type_selection = Flag()
    allowed_server_types = fields.List(Text(100))
    auto_recalculate_price_daily = Flag()
    created_at = Instant()
    updated_at = Instant()


# --- what anybody may see ---


class OfferingQuery(Query):
    service_type_id = Id()


class OfferingPageQuery(OfferingQuery):
    limit = QueryCount(1, 100, load_default=50)
    offset = QueryCount(load_default=0)


class PublicServicePlanOfferingSchema(Answer):
    id = Id()
    name = Text()
    description = Text(PROSE_LENGTH, allow_none=True)
    service_type_id = Id(allow_none=True)
    service_type_name = Text(allow_none=True)
    interval = Choice(*INTERVALS, data_key="billingIntervalType")
    interval_count = Count(1, data_key="billingIntervalValue")
    total_price = Amount()
    ordering_highlights = fields.List(fields.Nested(ServicePlanOrderingHighlightSchema))
    allow_customer_location_selection = Flag()


# --- prices ---


class PricingPreviewDtoSchema(Request):
    plan_id = Id()
    requested_config = FreeObject(allow_none=True, metadata={"unused": True})
    addon_ids = Tuple(Id(), most=50, allow_none=True, metadata={"unused": True})

    @validates("addon_ids")
    def _refuse(self, value: tuple[str, ...] | None, data_key: str) -> None:
        if value:
            raise ValidationError("not available")


class PricingPreviewResponseSchema(Answer):
    base_price = Amount()
    margin_percent = Amount()
    margin_fixed = Amount()
    total_price = Amount()
