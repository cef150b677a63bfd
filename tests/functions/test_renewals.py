"""What the scheduled sweep does when something has come due, and that it does it once."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import stripe

import renewals
from billing.adapters.dynamodb import accounts, history
from billing.adapters.dynamodb.transaction import Transaction
from billing.adapters.stripe import endings
from billing.domain.account import MemberStatus, Role
from billing.domain.catalog import Kind
from billing.domain.events import SCHEDULE
from billing.domain.slots import Slots
from billing.domain.times import parse_rfc3339, rfc3339
from tests.factories import NOON, member
from tests.factories import subscription as snapshot
from tests.functions.meter import counted_reads
from tests.functions.product import FAILS_AT_RENEWAL, VISA, Begin, Product
from tests.functions.team import MIA, invite, join, record, remove, slots

DAY = timedelta(days=1)


def plan(product: Product) -> Any:
    return product.billing()["subscription"]


def renewal(product: Product) -> datetime:
    return parse_rfc3339(plan(product)["renews_at"])


def told(product: Product, type_: str) -> list[dict[str, Any]]:
    """The facts of each such event, oldest first."""
    found, _ = history.page(product.account, limit=100)
    return [dict(event.facts) for _, event in reversed(found) if event.type == type_]


def new_card(product: Product, card: str) -> None:
    paid = product.pay(product.command("POST /subscription/card").json["url"], card)
    assert paid.status_code == 200, paid.text
    product.catch_up()


def pay_at_stripe(product: Product, invoice: str) -> None:
    """On the page that Stripe hosts, where we hear of nothing."""
    customer = product.customers()[0].id
    card = product.at_stripe.v1.payment_methods.attach("pm_card_visa", {"customer": customer})
    product.at_stripe.v1.invoices.pay(invoice, {"payment_method": card.id})


@pytest.fixture
def overdue(begin: Begin) -> Product:
    """With two slots, which nobody pays any more either."""

    def live(product: Product) -> None:
        product.subscribe()
        product.catch_up()
        product.buy_slots(2)
        product.catch_up()
        new_card(product, FAILS_AT_RENEWAL)
        product.advance("P1M1D")
        product.catch_up()
        assert plan(product)["status"] == "past_due"

    return begin("overdue with slots", live)


@pytest.fixture
def alerts(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The details of each alert that the sweep raises."""
    raised: list[dict[str, str]] = []
    monkeypatch.setattr(renewals, "alert", lambda _, **details: raised.append(details))
    return raised


def test_a_renewal_is_announced_three_days_before_once(subscribed: Product) -> None:
    at = renewal(subscribed)
    subscribed.go_to(at - 3 * DAY - timedelta(minutes=1))
    assert subscribed.sweep() == {"done": 0, "failed": 0}
    subscribed.go_to(at - 3 * DAY)
    assert subscribed.sweep() == {"done": 1, "failed": 0}
    assert subscribed.sweep() == {"done": 0, "failed": 0}
    [facts] = told(subscribed, "renewal.coming")
    assert (facts["amount"], facts["currency"], facts["at"]) == (5900, "usd", rfc3339(at))


def test_what_is_announced_is_what_will_be_charged(subscribed: Product) -> None:
    subscribed.command("PUT /subscription/cycle", {"cycle": "annual"})
    subscribed.go_to(renewal(subscribed) - 3 * DAY)
    subscribed.sweep()
    assert [facts["amount"] for facts in told(subscribed, "renewal.coming")] == [58800]


def test_an_annual_renewal_is_announced_thirty_and_seven_days_before(product: Product) -> None:
    product.subscribe(cycle="annual")
    product.catch_up()
    at = renewal(product)
    for days, times in ((31, 0), (30, 1), (8, 1), (7, 2), (1, 2)):
        product.go_to(at - days * DAY)
        product.sweep()
        assert len(told(product, "renewal.coming")) == times, days


def test_who_cancels_and_keeps_is_reminded_once(subscribed: Product) -> None:
    subscribed.go_to(renewal(subscribed) - 2 * DAY)
    subscribed.sweep()
    subscribed.command("POST /subscription/cancel")
    subscribed.sweep()
    subscribed.command("POST /subscription/resume")
    subscribed.sweep()
    assert len(told(subscribed, "renewal.coming")) == 1


def test_a_reminder_that_comes_too_late_is_left_out(subscribed: Product) -> None:
    subscribed.go_to(renewal(subscribed) + DAY)
    subscribed.sweep()
    assert told(subscribed, "renewal.coming") == []


def test_a_renewal_that_nobody_told_of_is_asked_for(subscribed: Product) -> None:
    at = renewal(subscribed)
    subscribed.go_to(at + timedelta(hours=2))
    subscribed.sweep()
    assert renewal(subscribed) > at
    assert len(told(subscribed, "subscription.renewed")) == 1
    subscribed.catch_up()
    assert len(told(subscribed, "subscription.renewed")) == 1


def test_access_that_ended_is_told_once_and_everything_ends_with_it(subscribed: Product) -> None:
    subscribed.advance("P5D")
    subscribed.buy_slots(2)
    subscribed.catch_up()
    ends = parse_rfc3339(subscribed.command("POST /subscription/cancel").json["ends_at"])
    subscribed.go_to(ends - timedelta(seconds=1))
    subscribed.sweep()
    assert told(subscribed, "access.ended") == []
    subscribed.go_to(ends)
    subscribed.sweep()
    assert told(subscribed, "access.ended") == [{"at": rfc3339(ends)}]
    assert {each.status for each in subscribed.subscriptions()} == {"canceled"}
    assert slots(subscribed)[0] == 0


def test_running_it_again_changes_nothing(subscribed: Product) -> None:
    subscribed.command("POST /subscription/cancel")
    subscribed.advance("P1M1D")
    subscribed.sweep()
    before = subscribed.rows()
    assert subscribed.sweep() == {"done": 0, "failed": 0}
    subscribed.advance("P1M")
    assert subscribed.sweep() == {"done": 0, "failed": 0}
    subscribed.catch_up()
    assert subscribed.sweep() == {"done": 0, "failed": 0}
    assert set(before) <= set(subscribed.rows())
    assert len(told(subscribed, "access.ended")) == 1


def test_grace_that_ran_out_ends_the_subscription_with_slots_and_what_is_owed(
    overdue: Product,
) -> None:
    overdue.sweep()
    overdue.advance("P13D")
    assert {each.status for each in overdue.subscriptions()} == {"past_due"}
    assert overdue.billing()["access"]["state"] == "ended"
    overdue.sweep()
    assert {each.status for each in overdue.subscriptions()} == {"canceled"}
    assert len(told(overdue, "access.ended")) == 1
    assert len(told(overdue, "subscription.ended")) == len(told(overdue, "slots.ended")) == 1
    overdue.catch_up()
    overdue.sweep()
    owed = [each for each in overdue.call("GET /invoices").json["items"]]
    assert "open" not in {each["status"] for each in owed}
    assert len(told(overdue, "access.ended")) == 1


def test_slots_have_a_grace_of_their_own(product: Product) -> None:
    """Where the base is paid for a year, only they can be overdue."""
    product.subscribe("annual")
    product.catch_up()
    product.buy_slots(2)
    product.catch_up()
    new_card(product, FAILS_AT_RENEWAL)
    product.advance("P1M1D")
    product.catch_up()
    overdue = product.billing()["slots"]["overdue"]
    assert overdue["invoice"]["amount_due"] == {"amount": 9800, "currency": "usd"}
    assert product.billing()["slots"]["purchased"] == 2
    product.go_to(parse_rfc3339(overdue["until"]) - timedelta(minutes=1))
    product.sweep()
    assert product.billing()["slots"]["purchased"] == 2
    product.go_to(parse_rfc3339(overdue["until"]))
    product.sweep()
    billing = product.billing()
    assert (billing["slots"]["purchased"], billing["slots"]["overdue"]) == (0, None)
    assert (billing["subscription"]["status"], billing["access"]["state"]) == ("active", "active")
    assert told(product, "access.ended") == []
    product.catch_up()
    owed = product.call("GET /invoices").json["items"]
    assert "open" not in {each["status"] for each in owed}


def test_who_pays_within_grace_keeps_everything(overdue: Product) -> None:
    overdue.advance("P10D")
    overdue.sweep()
    new_card(overdue, VISA)
    overdue.advance("P3D")
    assert overdue.sweep()["failed"] == 0
    assert {each.status for each in overdue.subscriptions()} == {"active"}
    assert told(overdue, "access.ended") == []


def test_who_paid_in_the_last_minute_unheard_of_keeps_everything(overdue: Product) -> None:
    overdue.pay(overdue.command("POST /subscription/card").json["url"], VISA)
    (setup,) = overdue.happened("checkout.session.completed")[-1:]
    overdue.advance("P12D")
    assert overdue.record(setup) == []
    overdue.advance("P1D")
    overdue.sweep()
    assert {each.status for each in overdue.subscriptions()} == {"active"}
    assert overdue.billing()["access"]["state"] == "active"


def test_after_the_end_a_new_subscription_brings_members_and_slots_to_buy_back(
    overdue: Product,
) -> None:
    new_card(overdue, VISA)
    joined = join(overdue)
    overdue.command("POST /subscription/cancel")
    overdue.advance("P1M1D")
    overdue.sweep()
    shown = overdue.billing()
    assert (shown["access"]["state"], shown["subscription"]["status"]) == ("ended", "canceled")
    assert shown["slots"]["purchased"] == 0
    overdue.pay(overdue.open_checkout("again").json["url"], VISA)
    overdue.catch_up()
    shown = overdue.billing()
    assert shown["access"]["state"] == "active"
    assert (shown["slots"]["purchased"], shown["slots"]["occupied"]) == (0, 1)
    assert joined in {each["id"] for each in shown["members"] if each["status"] == "active"}
    overdue.buy_slots(1)
    overdue.catch_up()
    assert slots(overdue) == (1, 1, 0, 0)
    assert overdue.sweep()["failed"] == 0
    assert overdue.billing()["access"]["state"] == "active"


def test_a_pending_invitation_holds_a_slot_an_expired_or_withdrawn_one_frees_it(
    subscribed: Product,
) -> None:
    subscribed.buy_slots(1)
    subscribed.catch_up()
    remove(subscribed, invite(subscribed, MIA).json["id"])
    assert slots(subscribed) == (1, 0, 0, 1)
    invited = invite(subscribed, MIA).json
    assert slots(subscribed) == (1, 1, 1, 0)
    subscribed.go_to(parse_rfc3339(invited["expires_at"]))
    assert subscribed.sweep() == {"done": 1, "failed": 0}
    rows = accounts.load(subscribed.account)
    assert rows.members[invited["id"]].status is MemberStatus.EXPIRED
    assert rows.slots.occupied == 0
    assert told(subscribed, "member.invitation_expired") == [{"member": invited["id"]}]
    assert subscribed.sweep() == {"done": 0, "failed": 0}


def test_an_invitation_sent_again_runs_out_fourteen_days_after_that(subscribed: Product) -> None:
    subscribed.buy_slots(1)
    subscribed.catch_up()
    invite(subscribed, MIA)
    subscribed.advance("P10D")
    invite(subscribed, MIA)
    subscribed.advance("P10D")
    subscribed.sweep()
    assert slots(subscribed) == (1, 1, 1, 0)


def test_more_invitations_than_a_transaction_holds_run_out_in_one_run(subscribed: Product) -> None:
    write = Transaction()
    for number in range(60):
        invited = member(f"m{number}", status=MemberStatus.INVITED, expires_at=NOON)
        accounts.put_member(write, subscribed.account, invited, version=0)
    accounts.put_slots(write, subscribed.account, Slots(60), version=0)
    write.commit()
    subscribed.advance("PT1H")
    assert subscribed.sweep() == {"done": 1, "failed": 0}
    rows = accounts.load(subscribed.account)
    assert rows.slots.occupied == 0
    expired = [each for each in rows.members.values() if each.role is Role.MEMBER]
    assert {each.status for each in expired} == {MemberStatus.EXPIRED}
    assert len(told(subscribed, "member.invitation_expired")) == 60


def test_one_account_that_fails_stops_no_other_and_a_person_is_called(
    subscribed: Product, alerts: list[dict[str, str]]
) -> None:
    at = renewal(subscribed)
    names = [f"broken-{number}" for number in range(5)]
    for name in names:
        broken = subscribed.beside(name)
        record(broken, snapshot(id="sub_gone", period_end=at))
    subscribed.go_to(at - DAY)
    assert subscribed.sweep() == {"done": 1, "failed": 5}
    assert len(told(subscribed, "renewal.coming")) == 1
    assert sorted(each["account"] for each in alerts) == names
    assert subscribed.sweep() == {"done": 0, "failed": 0}
    subscribed.advance("PT1H")
    assert subscribed.sweep() == {"done": 0, "failed": 5}


def test_while_stripe_does_not_answer_nobody_is_called(
    subscribed: Product, alerts: list[dict[str, str]]
) -> None:
    subscribed.go_to(renewal(subscribed) - DAY)
    subscribed.order_faults([("GET", "/v1/subscriptions/*", "500")] * 3)
    assert subscribed.sweep() == {"done": 0, "failed": 1}
    assert alerts == []
    subscribed.advance("PT1H")
    assert subscribed.sweep() == {"done": 1, "failed": 0}
    assert len(told(subscribed, "renewal.coming")) == 1


def test_an_end_that_was_cut_off_is_finished_and_told_once(
    overdue: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    overdue.advance("P13D")
    whole = Transaction.commit

    def cut_off(write: Transaction) -> None:
        if "access.ended" in str(write._writes):
            raise KeyboardInterrupt
        whole(write)

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "commit", cut_off)
        with pytest.raises(KeyboardInterrupt):
            overdue.sweep()
    assert told(overdue, "access.ended") == []
    overdue.catch_up()
    overdue.sweep()
    assert len(told(overdue, "access.ended")) == 1
    assert len(told(overdue, "subscription.ended")) == 1


def test_a_payment_at_the_very_moment_of_the_end_calls_a_person(
    overdue: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody pays on Stripe's page between our look and the end."""
    owed = overdue.billing()["subscription"]["open_invoice"]["id"].partition("-")[2]
    alerts: list[dict[str, str]] = []
    monkeypatch.setattr(endings, "alert", lambda _, **details: alerts.append(details))
    whole = stripe.SubscriptionService.cancel

    def overtaken(self: Any, subscription_id: str) -> Any:
        if subscription_id == accounts.load(overdue.account).subscriptions[Kind.SUBSCRIPTION].id:
            pay_at_stripe(overdue, owed)
        return whole(self, subscription_id)

    overdue.advance("P13D")
    monkeypatch.setattr(stripe.SubscriptionService, "cancel", overtaken)
    assert overdue.sweep() == {"done": 1, "failed": 0}
    assert alerts == [{"invoice": owed}]


def test_a_payment_just_before_the_end_is_seen(
    overdue: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After we looked, and before we end."""
    owed = overdue.billing()["subscription"]["open_invoice"]["id"].partition("-")[2]
    whole = endings.end_unpaid

    def overtaken(subscription_id: str) -> bool:
        if overdue.at_stripe.v1.invoices.retrieve(owed).status == "open":
            pay_at_stripe(overdue, owed)
        return whole(subscription_id)

    overdue.advance("P13D")
    monkeypatch.setattr(endings, "end_unpaid", overtaken)
    assert overdue.sweep() == {"done": 1, "failed": 0}
    assert plan(overdue)["status"] == "active"
    assert told(overdue, "access.ended") == []


def test_a_run_that_was_cut_off_is_continued_by_the_next(subscribed: Product) -> None:
    subscribed.go_to(renewal(subscribed) - DAY)
    assert subscribed.sweep(milliseconds_left=0) == {"done": 0, "failed": 0}
    assert subscribed.sweep() == {"done": 1, "failed": 0}


def test_its_cost_grows_with_what_is_due_not_with_the_accounts(subscribed: Product) -> None:
    subscribed.sweep()  # which looks at everybody's cancellation, once and for all
    with counted_reads() as alone:
        subscribed.sweep()
    for number in range(30):
        other = subscribed.beside(f"other-{number}")
        record(other, snapshot(period_end=renewal(subscribed) + 9 * DAY))
    with counted_reads() as among_others:
        subscribed.sweep()
    assert alone == among_others == [*["query"] * 8, "get_item"]
    subscribed.go_to(renewal(subscribed) - DAY)
    with counted_reads() as one_due:
        subscribed.sweep()
    assert one_due == [*["query"] * (8 + 2), "get_item"]


def test_what_time_does_is_told_as_times(subscribed: Product) -> None:
    subscribed.command("POST /subscription/cancel")
    subscribed.advance("P1M1D")
    subscribed.sweep()
    found, _ = history.page(subscribed.account, limit=1)
    assert (found[0][1].type, found[0][1].by) == ("access.ended", SCHEDULE)
