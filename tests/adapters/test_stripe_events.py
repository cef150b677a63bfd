import hashlib
import hmac
import json
from typing import Any

import pytest
from stripe import WebhookSignature

from billing.adapters.stripe.events import (
    TOLERANCE_SECONDS,
    BadSignature,
    MalformedEvent,
    StripeEvent,
    verify,
)
from tests.factories import event_file

NOW = 1_795_435_200
SECRET = "whsec_one"
BODY = event_file("webhook_receive")["body"].encode()


def signature(body: bytes = BODY, secret: str = SECRET, at: int = NOW) -> str:
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"


def test_what_stripe_signs_is_accepted() -> None:
    assert WebhookSignature.verify_header(BODY.decode(), signature(), SECRET)
    verify(BODY, signature(), (SECRET,), NOW)


def test_while_secrets_roll_either_is_accepted() -> None:
    verify(BODY, signature(secret="whsec_old"), ("whsec_new", "whsec_old"), NOW)
    both = f"{signature(secret='whsec_other')},{signature().split(',')[1]}"
    verify(BODY, both, (SECRET,), NOW)


@pytest.mark.parametrize("offset", [-TOLERANCE_SECONDS - 1, TOLERANCE_SECONDS + 1])
def test_a_timestamp_too_old_or_from_the_future_is_refused(offset: int) -> None:
    with pytest.raises(BadSignature):
        verify(BODY, signature(at=NOW + offset), (SECRET,), NOW)


@pytest.mark.parametrize("offset", [-TOLERANCE_SECONDS, TOLERANCE_SECONDS])
def test_the_tolerance_itself_is_accepted(offset: int) -> None:
    verify(BODY, signature(at=NOW + offset), (SECRET,), NOW)


@pytest.mark.parametrize("secrets", [(), ("",), ("", "")])
def test_a_missing_or_empty_webhook_secret_fails_closed(secrets: tuple[str, ...]) -> None:
    with pytest.raises(BadSignature):
        verify(BODY, signature(secret=""), secrets, NOW)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=,v1=",
        f"t={NOW}",
        signature().replace("v1=", "v0="),
        signature().replace("t=", "t=x"),
        f"t={NOW},{signature()}",
        "t=" + "9" * 5000 + ",v1=00",
        f"t={NOW},v1=ü",
        "nonsense",
    ],
)
def test_a_malformed_signature_is_refused(header: str) -> None:
    with pytest.raises(BadSignature):
        verify(BODY, header, (SECRET,), NOW)


def test_one_changed_byte_is_noticed() -> None:
    with pytest.raises(BadSignature):
        verify(BODY.replace(b"sub_1", b"sub_2"), signature(), (SECRET,), NOW)


def parse(**changes: Any) -> StripeEvent:
    return StripeEvent.parse(json.dumps(json.loads(BODY) | changes).encode())


def test_an_event_is_reduced_to_what_it_points_at() -> None:
    event = parse()
    assert (event.object_id, event.customer, event.group) == (
        "sub_1example",
        "cus_1example",
        "cus_1example",
    )


def test_an_event_about_a_customer_is_grouped_with_the_customers_other_events() -> None:
    event = parse(data={"object": {"id": "cus_1", "object": "customer", "created": 1}})
    assert event.group == "cus_1"


def test_a_detached_card_belongs_to_whom_it_was_taken_from() -> None:
    card = {"id": "pm_1", "object": "payment_method", "created": 1, "customer": None}
    event = parse(data={"object": card, "previous_attributes": {"customer": "cus_1"}})
    assert event.customer == "cus_1"


def test_a_message_survives_the_queue() -> None:
    assert StripeEvent.from_message(parse().message()) == parse()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{}",
        b'{"id": 1}',
        b'{"id": "evt_1", "type": "x", "livemode": false, "data": {"object": []}}',
        b'{"id": "", "type": "x", "livemode": false, "data": {"object": {"id": "i"}}}',
        b'{"id":"e","type":"x","livemode":false,"data":{"object":{"id":"i","created":Infinity}}}',
        b"[" * 100_000,
    ],
)
def test_what_is_signed_but_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedEvent):
        StripeEvent.parse(body)
