"""Statistics: what was invoiced, by day or month and by product."""

from marshmallow import fields

from decabilld.http.schemas.base import Answer, Query
from decabilld.http.schemas.fields import Amount, Choice, Count, Date, Id, Text

GROUPINGS = ("day", "month")


class StatisticsQuery(Query):
    """Issue dates in the billing zone, both included."""

    first = Date(data_key="from")
    last = Date(data_key="to")
    user_id = Id()


class StatisticsSummaryQuery(StatisticsQuery):
    group_by = Choice(*GROUPINGS, load_default="day")


class BillingStatisticsSeriesPointSchema(Answer):
    period = Text()
    total_gross = Amount()


class BillingStatisticsSummarySchema(Answer):
    series = fields.List(fields.Nested(BillingStatisticsSeriesPointSchema))
    total_gross = Amount()
    paid_count = Count()
    first = Date(data_key="from")
    last = Date(data_key="to")
    group_by = Choice(*GROUPINGS)


class BillingStatisticsByProductItemSchema(Answer):
    plan_id = Id(allow_none=True)
    plan_name = Text()
    total_gross = Amount()


class BillingStatisticsByProductSchema(Answer):
    items = fields.List(fields.Nested(BillingStatisticsByProductItemSchema))
    total_gross = Amount()
    first = Date(data_key="from")
    last = Date(data_key="to")
