"""What Stripe answers when it does not do what it was asked."""

from typing import Any

DOCUMENTED = "https://docs.stripe.com/error-codes/"


class StripeError(Exception):
    """An error object and its status. `effects_stand`: what was written before it is kept."""

    status = 400
    type = "invalid_request_error"
    effects_stand = False

    def __init__(
        self, message: str, *, code: str | None = None, param: str | None = None, **more: Any
    ) -> None:
        super().__init__(message)
        self.code = code
        described = {"code": code, "param": param, "doc_url": self._documented_at()}
        described |= {"message": message, "type": self.type} | more
        self.body = {"error": {k: v for k, v in described.items() if v is not None}}

    def _documented_at(self) -> str | None:
        return DOCUMENTED + self.code.replace("_", "-") if self.code else None


class InvalidRequest(StripeError):
    """Refused before anything was done: the request itself is wrong."""


class Refused(StripeError):
    """A well-formed request that the present state of things does not allow."""


class Unauthorized(StripeError):
    status = 401


class NoSuchObject(StripeError):
    """404 when the path names it, 400 when a parameter does."""

    def __init__(self, kind: str, id: str, *, param: str = "id") -> None:
        self.status = 404 if param == "id" else 400
        message = f"No such {kind.replace('.', ' ').replace('_', ' ')}: '{id}'"
        super().__init__(message, code="resource_missing", param=param)


class NothingUpcoming(StripeError):
    status = 404


class NoSuchRoute(StripeError):
    status = 404


class CardDeclined(StripeError):
    """The payment was tried and failed: its traces (intent, charge, events) stay."""

    status = 402
    type = "card_error"
    effects_stand = True


class IdempotencyMismatch(StripeError):
    type = "idempotency_error"


class KeyInUse(StripeError):
    status = 409

    def __init__(self) -> None:
        message = "There is currently another in-progress request using this Idempotent Key."
        super().__init__(message, code="idempotency_key_in_use")


class RateLimited(StripeError):
    status = 429

    def __init__(self, message: str = "Request rate limit exceeded.") -> None:
        super().__init__(message, code="rate_limit")


class NotSupported(StripeError):
    """Stripe does it, the sandbox does not."""

    status = 501

    def __init__(self, what: str, *, param: str | None = None) -> None:
        super().__init__(f"This sandbox does not do {what}.", param=param)


class Defect(StripeError):
    """The sandbox broke its promise to be like Stripe."""

    status = 500
    type = "api_error"
