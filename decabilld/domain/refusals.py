"""What the domain may answer instead of doing as asked. Each is expected, typed and carries its own message and code.

HTTP statuses are not known here; `http/errors.py` has the one table.
"""


class Refusal(Exception):
    """Base of all refusals. `code` is machine-readable and stable; str() is the sentence for the caller."""

    code: str = ""

    @property
    def message(self) -> str:
        return str(self)


class NotFound(Refusal):
    """Unknown id, or one of another customer: never says which."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} not found")


class Invalid(Refusal):
    """The request is well-formed but can't be true; the message says why."""


class Conflict(Refusal):
    """It contradicts what is already there."""


class Forbidden(Refusal):
    """The caller may not do this."""


class Unauthenticated(Refusal):
    """Credentials or code don't let the caller in."""


class EmailNotConfirmed(Unauthenticated):
    code = "EMAIL_NOT_CONFIRMED"


class SignupDisabled(Refusal):
    """Registration is switched off."""


class MailNotConfigured(Refusal):
    """A code would have to be sent, and there is no mail server."""

    code = "MAIL_NOT_CONFIGURED"


class CommitmentNotOver(Invalid):
    code = "COMMITMENT_NOT_OVER"


class ProfileIncomplete(Invalid):
    """Ordering and issuing need a complete customer profile; the message names the missing fields."""

    code = "PROFILE_INCOMPLETE"


class IssuerIncomplete(Invalid):
    """Issuing needs the seller's data; the message names the missing settings."""

    code = "ISSUER_INCOMPLETE"


class PaymentNotConfigured(Invalid):
    code = "PAYMENT_NOT_CONFIGURED"


class PaymentProviderFailed(Refusal):
    """The payment processor refused or failed (bad gateway)."""

    code = "PAYMENT_PROVIDER_FAILED"


class PaymentProviderUnreachable(PaymentProviderFailed):
    """The connection failed, so what was asked for may have happened all the same."""


class PaymentProviderTimedOut(Refusal):
    """The payment processor did not answer in time (gateway time-out)."""

    code = "PAYMENT_PROVIDER_TIMED_OUT"


class NoCapacity(Invalid):
    """The provider has no room for what was ordered, and the order may not wait."""

    code = "NO_CAPACITY"


class ServerProviderFailed(Refusal):
    """A provider of servers refused or did not answer (bad gateway)."""

    code = "SERVER_PROVIDER_FAILED"


class IdempotencyMismatch(Refusal):
    """The same Idempotency-Key came with another request."""

    code = "IDEMPOTENCY_KEY_REUSED"
