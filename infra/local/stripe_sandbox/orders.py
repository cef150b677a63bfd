"""Orders to the sandbox itself: its clock, its customers, its outbox, its faults."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from infra.local.stripe_sandbox import cards, periods
from infra.local.stripe_sandbox.errors import CardDeclined, InvalidRequest
from infra.local.stripe_sandbox.resources import checkout, disputes, outcomes, refunds
from infra.local.stripe_sandbox.resources.checkout import Payer
from infra.local.stripe_sandbox.sandbox import Sandbox
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.webhooks import DEFAULTS
from infra.local.stripe_sandbox.world import World

DURATION = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?"
)
PAY_FIELDS = {"card", "authenticate", "email", "name", "country", "expiry"}


def read_clock(sandbox: Sandbox) -> Body:
    now = datetime.fromtimestamp(sandbox.now(), UTC)
    return {"now": f"{now:%Y-%m-%dT%H:%M:%SZ}", "offset_seconds": sandbox.offset}


def move_clock(sandbox: Sandbox, order: Body) -> Body:
    """`{"advance": "P1M"}` or `{"to": "2027-01-31T00:00:00Z"}`."""
    _allow(order, {"advance", "to"})
    if len(order) != 1:
        raise InvalidRequest("Give one of advance and to.", param="advance")
    if "advance" in order:
        to = _later(sandbox.now(), str(order["advance"]))
    else:
        to = _instant(str(order["to"]))
    events = sandbox.move_clock(to)
    return read_clock(sandbox) | {"events": events}


def keep_snapshot(sandbox: Sandbox, name: str) -> Body:
    sandbox.keep_snapshot(name)
    return {"kept": name} | read_clock(sandbox)


def restore_snapshot(sandbox: Sandbox, name: str) -> Body:
    try:
        sandbox.restore(name)
    except KeyError as error:
        raise InvalidRequest(f"Nothing was kept as {name}.", param="name") from error
    return {"restored": name} | read_clock(sandbox)


def pay_checkout(sandbox: Sandbox, session: str, order: Body) -> Body:
    """Raises CardDeclined when the payment fails."""
    _allow(order, PAY_FIELDS)
    card = cards.read_card(str(order.get("card", "4242424242424242")))
    now = datetime.fromtimestamp(sandbox.now(), UTC)
    expiry = cards.read_expiry(str(order.get("expiry", "12/34")), now)
    payer = Payer(
        email=str(order.get("email", "customer@example.test")),
        name=str(order.get("name", "Sandbox Customer")),
        country=str(order.get("country", "US")),
    )
    bank = order.get("authenticate")
    if bank not in (None, "approve", "fail"):
        raise InvalidRequest("authenticate must be approve or fail.", param="authenticate")

    def pay(world: World) -> Body:
        found = world.get("checkout.session", session)
        intent = checkout.pay(world, found, card, payer, expiry)
        return _happened(found, intent)

    happened = keeping_traces(sandbox, pay)
    if happened["status"] == "requires_action" and bank:
        return answer_bank(sandbox, happened["intent"], approved=bank == "approve")
    return happened


def answer_bank(sandbox: Sandbox, intent: str, *, approved: bool) -> Body:
    """Raises CardDeclined when the payment fails."""

    def answer(world: World) -> Body:
        found = outcomes.intent(world, intent)
        outcomes.answer_bank(world, found, approved=approved)
        session = world.look_up(world.hidden(found).get("session", ""))
        return _happened(session or {}, found)

    return keeping_traces(sandbox, answer)


def settle_payment(sandbox: Sandbox, intent: str, order: Body) -> Body:
    """`{"succeed": true}`: the bank's late answer to a debit."""
    _allow(order, {"succeed"})
    succeed = order.get("succeed", True)
    if not isinstance(succeed, bool):
        raise InvalidRequest("succeed must be true or false.", param="succeed")

    def settle(world: World) -> Body:
        found = world.get("payment_intent", intent)
        return outcomes.settle(world, found, succeed=succeed)

    return {"status": sandbox.work(settle)["status"]}


def refund_payment(sandbox: Sandbox, intent: str, order: Body) -> Body:
    """`{"amount": 500}`, or all that is left; `"fail": true` lets it fail afterwards."""
    _allow(order, {"amount", "fail"})
    amount = order.get("amount")
    if amount is not None and type(amount) is not int:
        raise InvalidRequest(f"Invalid integer: {amount}", param="amount")

    def refund(world: World) -> Body:
        charge = refunds.charge_of(world, world.get("payment_intent", intent))
        made = refunds.refund(world, charge, amount)
        return refunds.fail(world, made) if order.get("fail") is True else made

    return sandbox.work(refund)


def fail_refund(sandbox: Sandbox, intent: str, order: Body) -> Body:
    """The newest refund of the payment that has succeeded fails after all."""
    _allow(order, set())

    def fail(world: World) -> Body:
        charge = refunds.charge_of(world, world.get("payment_intent", intent))
        return refunds.fail(world, refunds.newest_of(world, charge))

    return sandbox.work(fail)


def dispute_payment(sandbox: Sandbox, intent: str, order: Body) -> Body:
    """Opens a dispute; with `{"outcome": "won"}` or `"lost"` closes it, opened before or not."""
    _allow(order, {"outcome", "reason"})
    outcome = order.get("outcome")
    if outcome not in (None, "won", "lost"):
        raise InvalidRequest("outcome must be won or lost.", param="outcome")

    def dispute(world: World) -> Body:
        charge = refunds.charge_of(world, world.get("payment_intent", intent))
        found = disputes.open_dispute_of(world, charge) if outcome else None
        if found is None:
            reason = str(order.get("reason", "fraudulent"))
            found = disputes.open_dispute(world, charge, reason)
        return disputes.close(world, found, won=outcome == "won") if outcome else found

    return sandbox.work(dispute)


def choose_deliveries(sandbox: Sandbox, order: Body) -> Body:
    _allow(order, set(DEFAULTS))
    for name, value in order.items():
        if not isinstance(value, bool):
            raise InvalidRequest(f"{name} must be true or false.", param=name)
    return dict(sandbox.deliveries.choose(order))


def read_deliveries(sandbox: Sandbox, query: Mapping[str, str]) -> Body:
    """Newest first; `?event=` names one event, `?limit=` how many."""
    limit = query.get("limit", "100")
    if not limit.isdigit():
        raise InvalidRequest(f"Invalid integer: {limit}", param="limit")
    listed = sandbox.deliveries.listed(query.get("event"), int(limit))
    return sandbox.deliveries.order | {"deliveries": listed}


def resend(sandbox: Sandbox, event: str) -> Body:
    sandbox.work(lambda world: world.get("event", event))
    return {"deliveries": sandbox.deliveries.resend(event)}


def order_faults(sandbox: Sandbox, order: Body) -> Body:
    _allow(order, {"next"})
    sandbox.faults.order(order.get("next"))
    return {"next": sandbox.faults.left()}


def keeping_traces(sandbox: Sandbox, do: Callable[[World], Body]) -> Body:
    """Run `do`; what a declined payment left behind stays, then its error is raised."""
    declined: list[CardDeclined] = []

    def attempt(world: World) -> Body:
        try:
            return do(world)
        except CardDeclined as error:
            declined.append(error)
            return {}

    result = sandbox.work(attempt)
    if declined:
        raise declined[0]
    return result


def _happened(session: Body, intent: Body) -> Body:
    action = intent.get("next_action") or {}
    return {
        "status": intent["status"],
        "intent": intent.get("id"),
        "session": session.get("id"),
        "session_status": session.get("status"),
        "payment_status": session.get("payment_status"),
        "customer": session.get("customer"),
        "subscription": session.get("subscription"),
        "invoice": session.get("invoice"),
        "url": action.get("redirect_to_url", {}).get("url"),
    }


def _allow(order: Body, names: set[str]) -> None:
    for name in order:
        if name not in names:
            raise InvalidRequest(
                f"Received unknown parameter: {name}", code="parameter_unknown", param=name
            )


def _later(now: int, duration: str) -> int:
    match = DURATION.fullmatch(duration)
    if match is None or not any(match.groups()):
        raise InvalidRequest(
            f"Invalid duration: {duration}; give one like P1M, P3D or PT12H.", param="advance"
        )
    years, months, weeks, days, hours, minutes, seconds = (int(g or 0) for g in match.groups())
    at = datetime.fromtimestamp(now, UTC)
    try:
        rest = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        return int(periods.moved(at, months=12 * years + months, rest=rest).timestamp())
    except (OverflowError, ValueError):
        raise InvalidRequest(f"No calendar goes that far: {duration}.", param="advance") from None


def _instant(text: str) -> int:
    try:
        return periods.instant(text)
    except ValueError:
        raise InvalidRequest(
            f"Invalid instant: {text}; give one like 2027-01-31T00:00:00Z.", param="to"
        ) from None
