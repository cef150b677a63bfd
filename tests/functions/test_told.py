"""What the history says after the commands, the webhooks and time."""

import uuid
from typing import Any

from billing.adapters.dynamodb import history
from billing.domain.events import STRIPE, Event
from tests.functions.product import FAILS_AT_RENEWAL, VISA, Product
from tests.functions.team import MIA, accept, invite, join, remove

ANA = "user-ana"


def told(product: Product, about: str = "") -> list[Event]:
    """Oldest first; all but invoices, or what is `about` those."""
    found, more = history.page(product.account, limit=100)
    assert not more
    events = [event for _, event in reversed(found)]
    return [each for each in events if each.type.startswith("invoice.") == (about == "invoices")]


def types(product: Product) -> list[str]:
    return [event.type for event in told(product)]


def test_a_subscription_starts_once_however_often_stripe_says_so(subscribed: Product) -> None:
    subscribed.deliver([{**event, "id": event["id"] + "_twin"} for event in subscribed.happened()])
    [event] = told(subscribed)
    assert (event.type, event.by) == ("subscription.started", STRIPE)
    assert (event.facts["plan"], event.facts["amount"]) == ("starter", 5900)


def test_what_a_manager_changes_is_told_once_and_as_theirs(subscribed: Product) -> None:
    subscribed.command("PUT /subscription/cycle", {"cycle": "annual"})
    subscribed.command("PUT /subscription/cycle", {"cycle": "monthly"})
    subscribed.command("POST /subscription/cancel", {"reason": "too_expensive"})
    subscribed.command("POST /subscription/resume")
    subscribed.catch_up()
    mine = [(event.type, event.by, event.reason) for event in told(subscribed)[1:]]
    assert mine == [
        ("subscription.change_planned", ANA, ""),
        ("subscription.change_withdrawn", ANA, ""),
        ("subscription.cancelled", ANA, "too_expensive"),
        ("subscription.kept", ANA, ""),
    ]


def test_a_renewal_is_told_once(subscribed: Product) -> None:
    subscribed.advance("P1M2D")
    subscribed.catch_up()
    assert types(subscribed) == ["subscription.started", "subscription.renewed"]


def test_a_failed_renewal_and_the_card_that_saves_it_are_told(product: Product) -> None:
    product.pay(product.open_checkout().json["url"], FAILS_AT_RENEWAL)
    product.catch_up()
    product.advance("P1M1D")
    product.catch_up()
    assert types(product)[-1] == "subscription.payment_failed"
    url = product.command("POST /subscription/card").json["url"]
    product.pay(url, VISA)
    product.catch_up()
    assert set(types(product)[2:]) == {
        "subscription.card_changed",
        "subscription.payment_recovered",
    }
    assert len(types(product)) == 4


def test_slots_are_told_as_slots(subscribed: Product) -> None:
    subscribed.buy_slots(2)
    subscribed.catch_up()
    assert told(subscribed)[-1].type == "slots.started"
    assert told(subscribed)[-1].facts["quantity"] == 2


def test_who_joins_and_leaves_is_told_with_who_did_it(team: Product) -> None:
    joined = join(team)
    remove(team, joined)
    remove(team, joined)
    assert [(event.type, event.by, event.facts["member"]) for event in told(team)] == [
        ("member.invited", ANA, joined),
        ("member.joined", "user-mia", joined),
        ("member.removed", ANA, joined),
    ]


def test_accepting_again_tells_nothing_more(team: Product) -> None:
    join(team)
    before = types(team)
    assert accept(team).status == 200
    assert types(team) == before


def test_a_withdrawn_invitation_is_told(team: Product) -> None:
    remove(team, invite(team, MIA).json["id"])
    assert types(team) == ["member.invited", "member.invitation_withdrawn"]


def test_a_support_request_is_told_without_its_words(product: Product) -> None:
    asked: dict[str, Any] = {"topic": "other", "message": f"secret {uuid.uuid4().hex}"}
    sent = product.call("POST /support-requests", body=asked).json
    product.call("POST /support-requests", body=asked)
    [event] = told(product)
    assert (event.type, event.by) == ("support_request.sent", ANA)
    assert event.facts == {"request": sent["id"], "topic": "other"}


def test_an_invoice_is_told_with_each_status_it_gets(product: Product) -> None:
    product.pay(product.open_checkout().json["url"], FAILS_AT_RENEWAL)
    product.catch_up()
    product.advance("P1M1D")
    product.catch_up()
    product.deliver([{**event, "id": event["id"] + "_twin"} for event in product.happened()])
    first, issued = told(product, "invoices")
    assert (first.type, first.by, first.facts["amount"]) == ("invoice.paid", STRIPE, 5900)
    assert (issued.type, issued.facts["kind"]) == ("invoice.issued", "subscription")
    product.command("POST /subscription/cancel")
    product.catch_up()
    voided = told(product, "invoices")[-1]
    assert (voided.type, voided.facts["invoice"]) == ("invoice.voided", issued.facts["invoice"])


def test_who_pays_from_the_list_is_told_as_who_paid(product: Product) -> None:
    product.pay(product.open_checkout().json["url"], FAILS_AT_RENEWAL)
    product.catch_up()
    product.advance("P1M1D")
    product.catch_up()
    (customer,) = product.customers()
    (bought,) = product.subscriptions()
    method = product.at_stripe.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    product.at_stripe.v1.subscriptions.update(bought.id, {"default_payment_method": method.id})
    owed = product.billing()["subscription"]["open_invoice"]["id"]
    assert product.command("POST /invoices/{id}/pay", path={"id": owed}).status == 200
    product.catch_up()
    paid = [each for each in told(product, "invoices") if each.type == "invoice.paid"]
    assert [each.by for each in paid] == [STRIPE, ANA]
