"""Who gets a mail about what happened, and that they get it once."""

from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

import notify
from billing.adapters import mail
from billing.adapters.dynamodb import accounts, history, keys, marks, top_ups, wallets
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.credits import Wallet
from billing.domain.events import SCHEDULE, Event, Told
from billing.domain.money import Money
from billing.domain.top_ups import Because, TopUp, stopped, switched_on, waiting
from billing.usecases.notices import TYPES
from infra.local import template
from tests.factories import NOON, event_file
from tests.functions.conftest import ROOT
from tests.functions.product import FAILS_AT_RENEWAL, Product
from tests.functions.purse import ANA, grant, send
from tests.functions.team import MIA, invite, join, remove

FROM = "billing@example.com"
SUPPORT = "support@example.com"


@pytest.fixture
def mailing(product: Product, monkeypatch: pytest.MonkeyPatch) -> Product:
    boto3.client("sesv2").create_email_identity(EmailIdentity=FROM)
    sent().clear()
    monkeypatch.setattr(notify, "_MAIL_FROM", FROM)
    monkeypatch.setattr(notify, "_SUPPORT_EMAIL", SUPPORT)
    monkeypatch.setattr(mail, "_client", boto3.client("sesv2"))
    product.billing()
    return product


def sent() -> list[Any]:
    """Every mail, oldest first."""
    found: list[Any] = ses_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"].sent_messages
    return found


def received() -> list[tuple[str, str]]:
    """To whom, and about what."""
    return [(each.destinations["ToAddresses"][0], each.subject) for each in sent()]


def tell(product: Product, type_: str) -> None:
    """The bus brings the last event of this type."""
    found, _ = history.page(product.account, limit=100)
    name, event = next(each for each in found if each[1].type == type_)
    notify.handler(_from_the_bus(product, name, type_, event.by, dict(event.facts)), None)


def _from_the_bus(
    product: Product, name: str, type_: str, by: str, facts: dict[str, Any]
) -> dict[str, Any]:
    event = event_file("notify")
    event["detail"] |= {
        "id": name,
        "account": product.account,
        "type": type_,
        "by": by,
        "facts": facts,
    }
    return event


def test_a_started_subscription_is_told_to_every_manager_once(mailing: Product) -> None:
    mailing.call("GET /billing", claims={"sub": "user-bea", "email": "bea@acme.test"})
    mailing.subscribe()
    mailing.catch_up()
    for _ in range(2):
        tell(mailing, "subscription.started")
    about = "Your Starter subscription is active"
    assert sorted(received()) == [
        (f"ana@{mailing.account}.test", about),
        ("bea@acme.test", about),
    ]


def test_a_failed_payment_comes_with_the_page_on_which_to_pay(mailing: Product) -> None:
    mailing.pay(mailing.open_checkout().json["url"], FAILS_AT_RENEWAL)
    mailing.catch_up()
    mailing.advance("P1M1D")
    mailing.catch_up()
    tell(mailing, "subscription.payment_failed")
    billing = mailing.billing()
    assert f"Pay: {billing['subscription']['open_invoice']['url']}" in sent()[0].body


def test_who_has_paid_meanwhile_is_not_asked_to(mailing: Product) -> None:
    mailing.subscribe()
    mailing.catch_up()
    failed = _from_the_bus(mailing, "1", "subscription.payment_failed", "stripe", {})
    notify.handler(failed, None)
    assert sent() == []


def test_an_invited_person_gets_the_invitation(team: Product, mailing: Product) -> None:
    invite(team, MIA)
    tell(team, "member.invited")
    [(to, about)] = received()
    assert (to, about) == (MIA, "You are invited to Acme <Sales>")
    assert f"ana@{team.account}.test invites you" in sent()[0].body


def test_who_was_uninvited_meanwhile_gets_none(team: Product, mailing: Product) -> None:
    remove(team, invite(team, MIA).json["id"])
    tell(team, "member.invited")
    assert sent() == []


def test_support_gets_the_request_with_its_words(mailing: Product) -> None:
    asked = {"topic": "upgrade", "message": "Two more, please."}
    mailing.call("POST /support-requests", body=asked)
    tell(mailing, "support_request.sent")
    [(to, about)] = received()
    assert (to, about.split(":")[0]) == (SUPPORT, "A larger plan")
    assert "Two more, please." in sent()[0].body


def test_cancelling_is_confirmed_and_keeping_meanwhile_is_respected(mailing: Product) -> None:
    mailing.subscribe()
    mailing.catch_up()
    mailing.command("POST /subscription/cancel")
    tell(mailing, "subscription.cancelled")
    assert received()[0][1].startswith("Your subscription ends on ")
    mailing.command("POST /subscription/resume")
    mailing.command("POST /subscription/cancel")
    mailing.command("POST /subscription/resume")
    tell(mailing, "subscription.cancelled")
    assert len(sent()) == 1


def test_one_who_cannot_be_reached_keeps_nobody_else_from_being_told(
    mailing: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailing.call("GET /billing", claims={"sub": "user-bea", "email": "bea@acme.test"})
    event = event_file("notify")
    event["detail"]["account"] = mailing.account
    whole = mail.send

    def unreachable(*args: Any, **named: Any) -> None:
        if named["to"].startswith("ana@"):
            raise ClientError({"Error": {"Code": "MessageRejected"}}, "SendEmail")
        whole(*args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(mail, "send", unreachable)
        with pytest.raises(notify.NotSent):
            notify.handler(event, None)
    assert [to for to, _ in received()] == ["bea@acme.test"]
    notify.handler(event, None)
    assert [to for to, _ in received()] == ["bea@acme.test", f"ana@{mailing.account}.test"]


def test_a_crash_after_sending_sends_again_rather_than_never(
    mailing: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = event_file("notify")
    event["detail"]["account"] = mailing.account

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(marks, "mark_mail", crash)
        with pytest.raises(KeyboardInterrupt):
            notify.handler(event, None)
    notify.handler(event, None)
    notify.handler(event, None)
    assert len(sent()) == 2


def test_without_a_sender_no_mail_is_sent(
    mailing: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "_MAIL_FROM", "")
    event = event_file("notify")
    event["detail"]["account"] = mailing.account
    notify.handler(event, None)
    assert sent() == []


def test_the_bus_passes_on_exactly_what_is_told_by_mail() -> None:
    function = template.read(ROOT / "template.yaml")["Resources"]["NotifyFunction"]
    pattern = function["Properties"]["Events"]["Told"]["Properties"]["Pattern"]
    assert set(pattern["detail-type"]) == TYPES


def test_who_is_low_on_credits_is_told_unless_they_have_more_by_then(
    team: Product, mailing: Product
) -> None:
    grant(team, 1000)
    team.call("PUT /settings/alerts", body={"below": 900})
    member = join(team)
    send(team, member, 200)
    tell(team, "credits.low")
    [(to, about)] = received()
    assert (to, about) == (f"ana@{team.account}.test", "800 credits are left")
    grant(team, 200)
    send(team, member, 150)
    grant(team, 100)
    tell(team, "credits.low")
    assert len(received()) == 1


def test_who_is_topped_up_hears_that_it_stopped_or_waits_as_long_as_that_is_so(
    mailing: Product,
) -> None:
    cap = Money(10_000, "usd")
    chosen = TopUp(person=ANA).chosen(200, "credits_500", cap)
    low = switched_on(Wallet(person=ANA, balance=100), 200, "fall", NOON)
    put(mailing, *stopped(chosen, low, Because.DECLINED, NOON))
    tell(mailing, "top_up.stopped")
    ana = f"ana@{mailing.account}.test"
    assert received() == [(ana, "The automatic top-up has stopped")]
    put(mailing, *waiting(chosen, low, NOON))
    tell(mailing, "top_up.stopped")
    tell(mailing, "top_up.waiting")
    assert received()[1:] == [(ana, "The automatic top-up has reached its limit")]


def test_who_has_no_known_address_is_sent_nothing_about_their_wallet(mailing: Product) -> None:
    rows = accounts.load(mailing.account)
    write = Transaction()
    version = rows.version_of(keys.member_key(mailing.account, ANA))
    unknown = replace(rows.members[ANA], email="")
    accounts.put_member(write, mailing.account, unknown, version=version)
    write.commit()
    chosen = TopUp(person=ANA).chosen(200, "credits_500", Money(10_000, "usd"))
    low = switched_on(Wallet(person=ANA, balance=100), 200, "fall", NOON)
    put(mailing, *waiting(chosen, low, NOON))
    tell(mailing, "top_up.waiting")
    assert not received()


def put(product: Product, top_up: TopUp, wallet: Wallet, told: Told | None) -> None:
    """As the function that answers falls does it."""
    rows = accounts.load(product.account)
    write = Transaction()
    version = rows.version_of(keys.top_up_key(product.account, ANA))
    top_ups.put(write, product.account, top_up, version=version)
    wallets.put(write, product.account, wallet, version=rows.wallet_versions[ANA])
    assert told is not None
    type_, facts = told
    history.append(write, product.account, Event(type=type_, at=NOON, by=SCHEDULE, facts=facts))
    write.commit()
