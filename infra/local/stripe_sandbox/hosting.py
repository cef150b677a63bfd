"""The pages that Stripe hosts for a customer: Checkout, the bank's, an invoice."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.local.stripe_sandbox import cards, orders, pages, pdf
from infra.local.stripe_sandbox.cards import Card
from infra.local.stripe_sandbox.errors import CardDeclined, Refused
from infra.local.stripe_sandbox.money import written
from infra.local.stripe_sandbox.pages import Typed
from infra.local.stripe_sandbox.resources import (
    checkout,
    customers,
    invoices,
    outcomes,
    payment_methods,
)
from infra.local.stripe_sandbox.resources.checkout import Payer
from infra.local.stripe_sandbox.sandbox import Sandbox
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.world import World


@dataclass(frozen=True)
class Page:
    html: str
    status: int = 200


@dataclass(frozen=True)
class Redirect:
    url: str


Shown = Page | Redirect


def show_checkout(sandbox: Sandbox, id: str, query: Mapping[str, str]) -> Shown:
    return sandbox.work(lambda world: _checkout(world, id, query))


def pay_checkout(sandbox: Sandbox, id: str, form: Mapping[str, str]) -> Shown:
    def pay(world: World) -> Body:
        session = world.get("checkout.session", id)
        card, expiry = _card(world, form)
        payer = Payer(
            form.get("email") or None, form.get("name") or None, form.get("country") or None
        )
        return checkout.pay(world, session, card, payer, expiry)

    try:
        intent = orders.keeping_traces(sandbox, pay)
    except (CardDeclined, Refused) as error:
        refusal = str(error)
        return sandbox.work(lambda world: _checkout(world, id, form, refusal, 402))
    return _onward(sandbox, intent, lambda world: _after_checkout(world, id))


def show_bank(sandbox: Sandbox, id: str) -> Shown:
    def show(world: World) -> Shown:
        intent = outcomes.intent(world, id)
        if intent["status"] != "requires_action":
            return _message("Nothing to approve", "The bank does not wait for an answer.")
        return Page(pages.render("bank.html", intent=intent))

    return sandbox.work(show)


def answer_bank(sandbox: Sandbox, id: str, form: Mapping[str, str]) -> Shown:
    declined = ""
    try:
        orders.answer_bank(sandbox, id, approved=form.get("answer") == "approve")
    except CardDeclined:
        declined = "?declined=1"
    return sandbox.work(lambda world: _after_bank(world, id, declined))


def show_invoice(sandbox: Sandbox, id: str, query: Mapping[str, str]) -> Shown:
    return sandbox.work(lambda world: _invoice(world, id, query))


def pay_invoice(sandbox: Sandbox, id: str, form: Mapping[str, str]) -> Shown:
    def pay(world: World) -> Body:
        invoice = world.get("invoice", id)
        if invoice["status"] != "open":
            raise Refused(f"This invoice is {invoice['status']}.")
        card, expiry = _card(world, form)
        address = customers.address({"country": form.get("country")})
        details: Body = {"name": form.get("name") or None, "address": address}
        method = payment_methods.new_payment_method(world, card, expiry=expiry, details=details)
        return invoices.pay_in_person(world, invoice, method)

    try:
        intent = orders.keeping_traces(sandbox, pay)
    except (CardDeclined, Refused) as error:
        refusal = str(error)
        return sandbox.work(lambda world: _invoice(world, id, form, refusal, 402))
    return _onward(sandbox, intent, lambda _: Redirect(f"/i/{id}"))


def invoice_pdf(sandbox: Sandbox, id: str) -> tuple[str, bytes]:
    """The file's name and content."""
    invoice = sandbox.work(lambda world: world.get("invoice", id))
    return f"invoice-{invoice['number'] or id}.pdf", pdf.render(invoice)


def dashboard(sandbox: Sandbox) -> Page:
    def show(world: World) -> Page:
        return Page(
            pages.render(
                "dashboard.html",
                now=sandbox.now(),
                offset=sandbox.offset,
                tables=pages.tables(world, sandbox.deliveries.listed(limit=50)),
            )
        )

    return sandbox.work(show)


def move_clock(sandbox: Sandbox, form: Mapping[str, str]) -> Shown:
    orders.move_clock(sandbox, {"advance": form.get("advance", "")})
    return Redirect("/")


def _onward(sandbox: Sandbox, intent: Body, after: Callable[[World], Shown]) -> Shown:
    if intent["status"] == "requires_action":
        return Redirect(f"/bank/{intent['id']}")
    return sandbox.work(after)


def _card(world: World, form: Mapping[str, str]) -> tuple[Card, tuple[int, int]]:
    now = datetime.fromtimestamp(world.now, UTC)
    card = cards.read_card(form.get("card", ""))
    return card, cards.read_expiry(form.get("expiry") or "12/34", now)


def _checkout(
    world: World, id: str, given: Mapping[str, str], error: str = "", status: int = 200
) -> Shown:
    session = world.get("checkout.session", id)
    if session["status"] == "complete":
        return _message("Already paid", "This Checkout is complete.", checkout.success_url(session))
    if session["status"] == "expired":
        return _message("Expired", "This Checkout has expired.", session["cancel_url"])
    if "declined" in given and not error:
        error = checkout.last_refusal(world, session)
    customer: Body = world.look_up(session["customer"]) or {} if session["customer"] else {}
    total = session["amount_total"]
    action = f"Pay {written(total, session['currency'])}" if total else "Save card"
    html = pages.render(
        "checkout.html",
        session=session,
        lines=checkout.line_items(world, session)["data"],
        typed=_typed(given, customer.get("email") or session["customer_email"] or ""),
        offered=pages.offered(session["payment_method_types"]),
        action="Subscribe" if session["mode"] == "subscription" and total == 0 else action,
        error=error,
    )
    return Page(html, status)


def _invoice(
    world: World, id: str, given: Mapping[str, str], error: str = "", status: int = 200
) -> Shown:
    invoice = world.get("invoice", id)
    if invoice["status"] == "draft":
        return _message("Not there yet", "This invoice is still a draft.")
    if "declined" in given and not error:
        error = cards.NOT_AUTHENTICATED.message
    due = written(invoice["amount_remaining"], invoice["currency"])
    html = pages.render(
        "invoice.html",
        invoice=invoice,
        typed=_typed(given, invoice["customer_email"] or ""),
        offered=pages.offered(["card"]),
        action=f"Pay {due}",
        error=error,
    )
    return Page(html, status)


def _typed(given: Mapping[str, str], email: str) -> Typed:
    """A click on a test card fills in the rest of what a card has."""
    card = given.get("card", "")
    return Typed(
        card=card,
        expiry=given.get("expiry", "12 / 34" if card else ""),
        cvc=given.get("cvc", "123" if card else ""),
        email=given.get("email", email),
        name=given.get("name", ""),
        country=given.get("country", "US"),
    )


def _after_checkout(world: World, id: str) -> Shown:
    return Redirect(checkout.success_url(world.get("checkout.session", id)))


def _after_bank(world: World, id: str, declined: str) -> Shown:
    known = world.hidden(outcomes.intent(world, id))
    session = world.look_up(known.get("session", ""))
    if session and session["status"] == "open":
        return Redirect(f"/c/pay/{session['id']}{declined}")
    if known.get("invoice") and not (session and session["status"] == "complete" and not declined):
        return Redirect(f"/i/{known['invoice']}{declined}")
    if session:
        return Redirect(checkout.success_url(session))
    return _message("Thank you", "Your bank has your answer.")


def _message(title: str, text: str, link: str | None = None) -> Page:
    return Page(
        pages.render("message.html", title=title, text=text, link=link, link_text="Continue")
    )
