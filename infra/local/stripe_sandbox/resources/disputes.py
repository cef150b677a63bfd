"""Disputes: a customer asks their bank for the money back, which is then won or lost."""

from infra.local.stripe_sandbox import description
from infra.local.stripe_sandbox.errors import Refused
from infra.local.stripe_sandbox.lists import page
from infra.local.stripe_sandbox.operations import Call, operation
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.world import World

ANSWER_SECONDS = 7 * 86_400


@operation("GET /v1/disputes/{dispute}")
def retrieve_dispute(world: World, call: Call) -> Body:
    return world.get("dispute", call.ids["dispute"])


@operation("GET /v1/disputes", "charge payment_intent created created.*")
def list_disputes(world: World, call: Call) -> Body:
    filters = {name: call.get(name) for name in ("charge", "payment_intent")}
    return page(world, call, "dispute", filters)


@operation("POST /v1/disputes/{dispute}/close")
def close_dispute(world: World, call: Call) -> Body:
    """The shop accepts that it has lost."""
    return close(world, world.get("dispute", call.ids["dispute"]), won=False)


def open_dispute_of(world: World, charge: Body) -> Body | None:
    found = world.find("dispute", "json_extract(body, '$.charge') = ?", charge["id"])
    return next((dispute for dispute in found if dispute["status"] == "needs_response"), None)


def open_dispute(world: World, charge: Body, reason: str) -> Body:
    """The bank takes back what was not refunded, until the dispute is closed."""
    if charge["disputed"]:
        raise Refused(f"Charge {charge['id']} has been disputed already.", code="charge_disputed")
    world.update(charge, "charge.updated", disputed=True)
    dispute = world.create(
        "dispute",
        {
            "amount": charge["amount"] - charge["amount_refunded"],
            "balance_transactions": [],
            "charge": charge["id"],
            "created": world.now,
            "currency": charge["currency"],
            "enhanced_eligibility_types": [],
            "evidence": _no_evidence(),
            "evidence_details": {
                "due_by": world.now + ANSWER_SECONDS,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
            },
            "is_charge_refundable": False,
            "livemode": False,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "reason": reason,
            "status": "needs_response",
        },
    )
    world.emit("charge.dispute.created", dispute)
    world.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def close(world: World, dispute: Body, *, won: bool) -> Body:
    if dispute["status"] != "needs_response":
        raise Refused("This dispute is already closed.")
    world.update(dispute, "charge.dispute.updated", status="won" if won else "lost")
    if won:
        world.emit("charge.dispute.funds_reinstated", dispute)
    world.emit("charge.dispute.closed", dispute)
    return dispute


def _no_evidence() -> Body:
    names = description.object_schema("dispute_evidence")["properties"]
    return dict.fromkeys(names) | {"enhanced_evidence": {}}
