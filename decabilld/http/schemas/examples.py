"""Examples for the OpenAPI document: a body for each kind of request, a value for each kind of field of an answer.

Tests load every body by its schema, and hold every value against the document.
"""

from typing import Any

from decabilld.http.schemas import fields

_PLAN = "6f1c2d1e-8a53-4c1f-9a7e-2f0b6c1d7e10"
_USER = "0b9a4e52-3a5d-4f0e-8d0c-5d7f3b0f9c21"
_SUBSCRIPTION = "c4a7be0f-1f0e-4a39-9a55-8f3fd7b1e0aa"
_CODE = "7K2M9Q"
_EMAIL = "ada@example.com"
_PASSWORD = "correct horse battery"  # noqa: S105 - nobody's
_NEXT_PASSWORD = "battery horse correct"  # noqa: S105 - nobody's

_PROFILE = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "addressLine1": "12 St James Square",
    "postalCode": "SW1Y 4JH",
    "city": "London",
    "country": "GB",
    "email": _EMAIL,
    "customerType": "consumer",
}
_LINES = [{"description": "Installation", "quantity": 1.5, "unitPriceNet": 80, "taxCategory": "standard"}]

BODIES: dict[str, dict[str, Any]] = {
    "LoginDto": {"email": _EMAIL, "password": _PASSWORD},
    "RegisterDto": {"email": _EMAIL, "password": _PASSWORD},
    "ConfirmEmailDto": {"email": _EMAIL, "code": _CODE},
    "RequestPasswordResetDto": {"email": _EMAIL},
    "ResetPasswordDto": {"email": _EMAIL, "code": _CODE, "newPassword": _NEXT_PASSWORD},
    "ChangePasswordDto": {
        "currentPassword": _PASSWORD,
        "newPassword": _NEXT_PASSWORD,
        "newPasswordConfirmation": _NEXT_PASSWORD,
    },
    "LogoutDto": {"invalidateAllSessions": False},
    "CreateUserDto": {"email": "grace@example.com", "password": _PASSWORD, "role": "user"},
    "UpdateUserDto": {"role": "admin"},
    "CreateServiceTypeDto": {"key": "hosting", "name": "Hosting", "provider": "none"},
    "UpdateServiceTypeDto": {"name": "Hosting in Europe"},
    "CreateServicePlanDto": {
        "name": "Basic",
        "billingIntervalType": "month",
        "billingIntervalValue": 1,
        "billingDayOfMonth": 1,
        "basePrice": "10.0000",
        "orderingHighlights": [{"icon": "disk", "text": "40 GB of disk"}],
    },
    "UpdateServicePlanDto": {"basePrice": "12.0000", "noticeDays": 30},
    "PricingPreviewDto": {"planId": _PLAN},
    "CreateSubscriptionDto": {"planId": _PLAN},
    "CancelSubscriptionDto": {"reason": "Moving elsewhere"},
    "ResumeSubscriptionDto": {"reason": "Staying after all"},
    "CreateUsageRecordDto": {
        "subscriptionId": _SUBSCRIPTION,
        "periodStart": "2026-01-01T00:00:00Z",
        "periodEnd": "2026-01-02T00:00:00Z",
        "usagePayload": {"units": 120, "unitPrice": 0.005},
    },
    "CustomerProfileDto": _PROFILE,
    "CreateAdminCustomerProfileDto": {"userId": _USER, **_PROFILE},
    "CreateInvoiceDto": {"description": "Billed on request"},
    "AdminBillNowDto": {"userId": _USER},
    "BillingPreviewDto": {"at": "2026-02-01T00:00:00Z"},
    "CreateManualInvoiceDto": {"userId": _USER, "lineItems": _LINES},
    "UpdateManualInvoiceDto": {"lineItems": _LINES},
    "IssueManualInvoiceDto": {"dueInDays": 14},
    "MarkInvoicePaymentStatusDto": {"reason": "Came by bank transfer"},
    "TestClockDto": {"now": "2026-02-01T12:00:00Z"},
    "AvailabilityCheckDto": {"serviceTypeId": _PLAN, "region": "fsn1", "serverType": "cx22"},
    "BackorderRetryDto": {"reason": "The region has room again"},
    "BackorderCancelDto": {"reason": "Not needed any more"},
}

_OF_KIND: tuple[tuple[type[Any], Any], ...] = (
    (fields.Id, _SUBSCRIPTION),
    (fields.Instant, "2026-01-31T12:00:00.000Z"),
    (fields.Date, "2026-01-31"),
    (fields.Email, _EMAIL),
    (fields.Price, "10.0000"),
    (fields.Amount, 11.9),
)
_OF_NAME = {
    "quantity": 1,
    "unitPriceNet": 10,
    "taxRate": 19,
    "lineNet": 10,
    "lineTax": 1.9,
    "taxAmount": 1.9,
    "taxTotal": 1.9,
    "exactTax": 1.9,
    "subtotalNet": 10,
    "net": 10,
    "currency": "EUR",
    "country": "GB",
    "invoiceNumber": "INV-2026-00001",
    "voidDocumentNumber": "CN-2026-00001",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "city": "London",
    "planName": "Basic",
    "checkoutUrl": "https://checkout.stripe.com/c/pay/cs_test_1",
    "statusCode": 404,
    "error": "Not Found",
    "calculation": "10.00 x 19 %, rounded to 1.90",
}


def example_of(name: str, field: object) -> Any:
    """A value for a field of an answer, or None where its type says enough."""
    if name in _OF_NAME:
        return _OF_NAME[name]
    return next((example for kind, example in _OF_KIND if isinstance(field, kind)), None)
