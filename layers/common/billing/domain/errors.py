"""What can go wrong, grouped by what the caller does next.

Statuses are http.py's alone. `code` is stable and part of the contract; `detail` is for people.
"""

from collections.abc import Mapping
from dataclasses import dataclass


class BillingError(Exception):
    """Something the caller is told about."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of the input that is wrong; `field` is a path such as `to.name`."""

    field: str
    message: str


class InvalidInput(BillingError):
    """The request cannot be understood: correct it."""

    def __init__(self, code: str, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(code, detail)
        self.errors = errors


class TooLarge(BillingError):
    """The request is larger than anything meant here: send less."""


class UnsupportedContent(BillingError):
    """The body is not of the content type meant here."""


class NotSignedIn(BillingError):
    """Sign in (again)."""


class PaymentNeeded(BillingError):
    """The customer must act first, at `url` where there is such a page."""

    def __init__(self, code: str, detail: str, url: str | None) -> None:
        super().__init__(code, detail)
        self.url = url


class NotAllowed(BillingError):
    """This caller may not do that, whatever they change."""


class NotFound(BillingError):
    """Nothing of that id in the caller's account."""


class Conflict(BillingError):
    """The present state is against it: look again, then decide; `more` is what there is to see."""

    def __init__(self, code: str, detail: str, more: Mapping[str, object] | None = None) -> None:
        super().__init__(code, detail)
        self.more = more or {}


class RuleRefused(BillingError):
    """A rule refuses it: ask for something else."""

    def __init__(self, code: str, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(code, detail)
        self.errors = errors


Refusal = NotFound | Conflict | RuleRefused
"""What a decision about a command may come to, and is final for it."""


class Busy(BillingError):
    """Try the same request again after `retry_after` seconds."""

    def __init__(self, code: str, detail: str, retry_after: int) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class TooMany(Busy):
    """A limit of ours or of Stripe's is reached for now."""


class Unavailable(Busy):
    """Something that we need did not answer; what the request did so far is safe to repeat."""
