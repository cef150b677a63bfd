"""Refunds: money given back, in parts or whole, and refunds that fail afterwards."""

from infra.local.stripe_sandbox import money
from infra.local.stripe_sandbox.errors import InvalidRequest, Refused
from infra.local.stripe_sandbox.expansion import includable
from infra.local.stripe_sandbox.lists import listed, page
from infra.local.stripe_sandbox.operations import Call, merge_metadata, operation
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.world import World

FAILURE = "lost_or_stolen_card"


@operation("POST /v1/refunds", "charge payment_intent amount reason metadata metadata.*")
def create_refund(world: World, call: Call) -> Body:
    if ("charge" in call.params) == ("payment_intent" in call.params):
        raise InvalidRequest(
            "One of the following params should be provided for this request: payment_intent or "
            "charge.",
            code="parameter_missing",
        )
    if "charge" in call.params:
        charge = world.get("charge", call.get("charge"), param="charge")
    else:
        param = "payment_intent"
        charge = charge_of(world, world.get(param, call.get(param), param=param))
    metadata = merge_metadata({}, call.get("metadata"))
    return refund(world, charge, call.get("amount"), call.get("reason"), metadata)


@operation("GET /v1/refunds/{refund}")
def retrieve_refund(world: World, call: Call) -> Body:
    return world.get("refund", call.ids["refund"])


@operation("POST /v1/refunds/{refund}", "metadata metadata.*")
def update_refund(world: World, call: Call) -> Body:
    found = world.get("refund", call.ids["refund"])
    metadata = merge_metadata(found["metadata"], call.get("metadata"))
    return world.update(found, "refund.updated", metadata=metadata)


@operation("GET /v1/refunds", "charge payment_intent created created.*")
def list_refunds(world: World, call: Call) -> Body:
    filters = {name: call.get(name) for name in ("charge", "payment_intent")}
    return page(world, call, "refund", filters)


@includable("charge", "refunds")
def refunds_of(world: World, charge: Body) -> Body:
    found = world.find("refund", "json_extract(body, '$.charge') = ?", charge["id"])
    return listed(found, f"/v1/charges/{charge['id']}/refunds")


def newest_of(world: World, charge: Body) -> Body:
    """Of those that succeeded."""
    found = world.find("refund", "json_extract(body, '$.charge') = ?", charge["id"])
    succeeded = [each for each in found if each["status"] == "succeeded"]
    if not succeeded:
        raise InvalidRequest(f"Charge {charge['id']} has no refund that succeeded.")
    return succeeded[0]


def charge_of(world: World, intent: Body) -> Body:
    if intent["status"] != "succeeded":
        raise Refused(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge.",
            code="payment_intent_unexpected_state",
        )
    return world.get("charge", intent["latest_charge"])


def refund(
    world: World,
    charge: Body,
    amount: int | None = None,
    reason: str | None = None,
    metadata: Body | None = None,
) -> Body:
    """Give back `amount`, or all that is left."""
    left = charge["amount"] - charge["amount_refunded"]
    wanted = left if amount is None else amount
    _require_refundable(world, charge, wanted, left)
    made = world.create(
        "refund",
        {
            "amount": wanted,
            "balance_transaction": None,
            "charge": charge["id"],
            "created": world.now,
            "currency": charge["currency"],
            "customer": charge["customer"],
            "destination_details": {"type": charge["payment_method_details"]["type"]},
            "metadata": metadata or {},
            "payment_intent": charge["payment_intent"],
            "payment_method": charge["payment_method"],
            "reason": reason,
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": "succeeded",
            "transfer_reversal": None,
        },
    )
    world.emit("refund.created", made)
    refunded = charge["amount_refunded"] + wanted
    world.update(
        charge,
        "charge.refunded",
        amount_refunded=refunded,
        refunded=refunded == charge["amount"],
    )
    return made


def fail(world: World, made: Body) -> Body:
    """The money comes back: the customer's bank did not take it."""
    charge = world.get("charge", made["charge"])
    world.update(made, "refund.updated", status="failed", failure_reason=FAILURE)
    world.update(
        charge,
        "charge.updated",
        amount_refunded=charge["amount_refunded"] - made["amount"],
        refunded=False,
    )
    world.emit("refund.failed", made)
    return made


def _require_refundable(world: World, charge: Body, wanted: int, left: int) -> None:
    disputes = world.find("dispute", "json_extract(body, '$.charge') = ?", charge["id"])
    if any(dispute["status"] != "won" for dispute in disputes):
        raise Refused(f"Charge {charge['id']} has been charged back.", code="charge_disputed")
    if left == 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise Refused(message, code="charge_already_refunded")
    if not 0 < wanted <= left:
        raise Refused(
            f"Refund amount ({money.written(wanted, charge['currency'])}) is not within the "
            f"unrefunded amount on charge ({money.written(left, charge['currency'])}).",
            param="amount",
        )
