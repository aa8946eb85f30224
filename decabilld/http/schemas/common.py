"""Shapes that many operations share: errors, messages, pages."""

from marshmallow import fields

from decabilld.http.schemas.base import Answer, Query
from decabilld.http.schemas.fields import Count, QueryCount, Text

PAGE = 10
LARGEST_PAGE = 100
LARGEST_SUBSCRIPTION_PAGE = 1000


class ErrorDetailSchema(Answer):
    field = Text(None)
    message = Text(None)


class ErrorResponseSchema(Answer):
    status_code = Count(400, 599)
    message = Text(None)
    error = Text()
    code = Text(metadata={"sometimes": True, "description": "Machine-readable, where there is more than the status."})
    details = fields.List(fields.Nested(ErrorDetailSchema), metadata={"sometimes": True})
    correlation_id = Text(metadata={"sometimes": True, "description": "With a 500: what to name when asking for help."})


class MessageResponseSchema(Answer):
    message = Text()
    access_token = Text(
        8192,
        data_key="access_token",
        metadata={"sometimes": True, "description": "After a change of one's password: for the session that goes on."},
    )


class PageQuery(Query):
    """`limit` and `offset` of a list, newest first."""

    limit = QueryCount(0, LARGEST_PAGE, load_default=PAGE)
    offset = QueryCount(load_default=0)


class SubscriptionPageQuery(PageQuery):
    limit = QueryCount(0, LARGEST_SUBSCRIPTION_PAGE, load_default=PAGE)
