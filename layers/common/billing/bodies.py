"""What requests carry. Read only by the functions that take a body: it needs pydantic."""

from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from billing.domain.errors import FieldError, InvalidInput
from billing.domain.members import normalized_email, well_formed_email
from billing.domain.slots import MOST_SLOTS
from billing.domain.support_requests import Topic
from billing.domain.text import composed, is_line, is_message


class Body(BaseModel):
    """A request's JSON. A field that is not declared is refused, so that nobody believes that an
    account, a role or a price given here does anything."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def read(cls, raw: Any) -> Self:
        """Raises InvalidInput `invalid_input` with every field that is wrong."""
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            errors = tuple(
                FieldError(".".join(map(str, each["loc"])) or "body", each["msg"])
                for each in error.errors(include_url=False, include_context=False)
            )
            raise InvalidInput("invalid_input", "The body is not as expected.", errors) from error


class SubscriptionChoice(Body):
    """A plan and a cycle of the catalog; the catalog's first currency unless told."""

    plan: str = Field(min_length=1, max_length=64, examples=["business"])
    cycle: str = Field(min_length=1, max_length=64, examples=["annual"])
    currency: str | None = Field(default=None, min_length=3, max_length=3, examples=["usd"])


def _email(text: str) -> str:
    email = normalized_email(text)
    if not well_formed_email(email):
        raise PydanticCustomError("email", "Input should be an e-mail address")
    return email


def _line(given: str) -> str:
    if not is_line(given):
        raise PydanticCustomError("line", "Input should be one line without control characters")
    return composed(given)


def _message(given: str) -> str:
    lines = given.replace("\r\n", "\n")
    if not is_message(lines):
        raise PydanticCustomError("message", "Input should be text without control characters")
    return composed(lines)


# Composed, a few letters become longer.
_Name = Annotated[str, Field(max_length=100), AfterValidator(_line), Field(max_length=100)]
_Message = Annotated[str, Field(max_length=2000), AfterValidator(_message), Field(max_length=2000)]
_Comment = Annotated[str, Field(max_length=400), AfterValidator(_message), Field(max_length=400)]


class Invitation(Body):
    """Whom to invite; the name is theirs to bring unless told."""

    email: Annotated[
        str,
        Field(min_length=3, max_length=254, examples=["grace@example.com"]),
        AfterValidator(_email),
    ]
    name: _Name | None = None


class NewSupportRequest(Body):
    topic: Topic
    message: _Message | None = None


class SlotsChoice(Body):
    """How many slots in all."""

    purchased: int = Field(ge=0, le=MOST_SLOTS)


class SlotsOrder(SlotsChoice):
    """`quote` is the preview's: exactly its sum is charged, or nothing."""

    quote: str | None = Field(default=None, max_length=1000)


class CycleChoice(Body):
    cycle: str = Field(min_length=1, max_length=64, examples=["annual"])


class PlanChoice(Body):
    plan: str = Field(min_length=1, max_length=64, examples=["business"])


def _not_blank(given: str) -> str:
    line = _line(given)
    if not line:
        raise PydanticCustomError("blank", "Input should say something")
    return line


class OperatorsAct(Body):
    """Why an operator does it; Stripe notes as much as this, too."""

    reason: Annotated[
        str,
        Field(min_length=1, max_length=400),
        AfterValidator(_not_blank),
        Field(max_length=400),
    ]


class PlanDecision(OperatorsAct):
    """The plan, and the cycle where that is to be another one as well."""

    plan: str = Field(min_length=1, max_length=64, examples=["business"])
    cycle: str | None = Field(default=None, min_length=1, max_length=64, examples=["annual"])


_Price = Annotated[int, Field(ge=1, le=99_999_999)]
"""Minor units; no invoice of Stripe's is higher."""


class SlotsDeal(OperatorsAct):
    """`purchased` slots at `price` minor units for each of them and a year."""

    purchased: int = Field(ge=1, le=1000)
    price: _Price


class UnlimitedDecision(OperatorsAct):
    """Whether the account has DataUnlimited, and on which terms; the catalog's unless told."""

    active: bool
    cycle: str | None = Field(default=None, min_length=1, max_length=64, examples=["annual"])
    price: _Price | None = None


class Cancellation(Body):
    """Why, as far as the manager cares to say, and whether slots are billed until the plan ends."""

    reason: _Name = ""
    comment: _Comment = ""
    keep_slots: bool = False


class CreditsSent(Body):
    """To whom, by the id of the list of members, and how many."""

    to: str = Field(min_length=1, max_length=128)
    credits: int = Field(ge=1, le=10**12)


class PackageOrder(Body):
    """A package of the catalog, and how many of it."""

    package: str = Field(min_length=1, max_length=64, examples=["credits_500"])
    quantity: int = Field(default=1, ge=1, le=100)


class LimitChoice(Body):
    """How many credits a member may use in a calendar month; null for any number."""

    limit: int | None = Field(ge=0, le=10**12)


class AlertChoice(Body):
    """Below how many credits in their own wallet the manager wants to be told; null for never."""

    below: int | None = Field(ge=1, le=10**12)


class Amount(Body):
    """Money: minor units, and the currency's lower-case code."""

    amount: int = Field(ge=1, le=99_999_999)
    currency: str = Field(pattern=r"^[a-z]{3}$", examples=["usd"])


class TopUpTerms(Body):
    """Below how many credits in their own wallet a package is bought, and for how much a month at
    most; null for never, and nothing else then."""

    below: int | None = Field(ge=1, le=10**12)
    package: str | None = Field(default=None, min_length=1, max_length=64, examples=["credits_500"])
    monthly_cap: Amount | None = None

    @model_validator(mode="after")
    def _all_or_nothing(self) -> Self:
        if (self.below is None) != (self.package is None) or (
            (self.below is None) != (self.monthly_cap is None)
        ):
            raise PydanticCustomError(
                "terms", "Input should have a package and a monthly cap, or none of the three"
            )
        return self
