"""The sandbox as a process: started, killed, restarted; and faults that it is told to make."""

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from tests import clock
from tests.sandbox.shop import KEY, Listener, Shop, client, free_port, wait_for
from tests.waiting import PATIENCE_SECONDS, waiting_for

ROOT = Path(__file__).parents[2]


@contextmanager
def process(state: Path, *more: str) -> Iterator[tuple[Shop, "subprocess.Popen[bytes]"]]:
    port = free_port()
    command = [sys.executable, "-m", "infra.local.stripe_sandbox", "--port", str(port)]
    started = subprocess.Popen(
        [*command, "--state", str(state), *clock.options(), *more],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    shop = Shop(f"http://127.0.0.1:{port}")
    try:
        with waiting_for("the Stripe sandbox"):
            wait_for(lambda: _healthy(shop, started))
        yield shop, started
    finally:
        shop.close()
        started.kill()
        started.wait()


def _healthy(shop: Shop, started: "subprocess.Popen[bytes]") -> bool:
    assert started.poll() is None, "it ended"
    try:
        return shop.http.get(f"{shop.base}/sandbox/health").status_code == 200
    except httpx.TransportError:
        return False


def test_all_is_there_again_after_it_was_killed(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    with process(state) as (shop, running):
        subscribed = shop.subscribe()
        shop.advance("P40D")
        opened = shop.checkout()
        now = shop.read("clock")["offset_seconds"]
        running.send_signal(signal.SIGKILL)
        running.wait()
    with process(state) as (shop, running):
        assert shop.stripe.subscriptions.retrieve(subscribed.id).status == "active"
        assert abs(shop.read("clock")["offset_seconds"] - now) <= 1
        found = shop.stripe.checkout.sessions.retrieve(opened.id)
        assert str(found.url).startswith(shop.base)
        shop.advance("P1D")
        assert shop.stripe.checkout.sessions.retrieve(opened.id).status == "expired"


def test_a_stop_is_clean_and_a_key_is_checked(tmp_path: Path) -> None:
    with process(tmp_path / "state.sqlite3", "--secret-key", "sk_test_mine") as (shop, running):
        with pytest.raises(stripe.AuthenticationError):
            shop.stripe.customers.list()
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE_SECONDS) == 0


def test_a_live_key_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "infra.local.stripe_sandbox", "--port", "1"]
    command += ["--state", str(tmp_path / "s"), "--secret-key", "sk_live_1"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2
    assert "must be a test key" in ended.stderr


@pytest.mark.parametrize("content", [b"not a database" * 100, None])
def test_a_state_of_another_form_is_refused_in_words(tmp_path: Path, content: bytes | None) -> None:
    state = tmp_path / "state.sqlite3"
    if content:
        state.write_bytes(content)
    else:
        with sqlite3.connect(state) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
    command = [sys.executable, "-m", "infra.local.stripe_sandbox", "--port", "1"]
    ended = subprocess.run(
        [*command, "--state", str(state)], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert "is no state of this sandbox" in ended.stderr


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc to see sockets")
def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    with process(tmp_path / "state.sqlite3") as (shop, _):
        port = f"{int(shop.base.rsplit(':', 1)[1]):04X}"
        sockets = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()]
        assert f"0100007F:{port}" in sockets
        assert {f"00000000:{port}"} & set(sockets) == set()


def create(shop: Shop, key: str) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    return shop.http.post(f"{shop.base}/v1/customers", headers=headers, auth=(KEY, ""))


def count(shop: Shop) -> int:
    return len(shop.stripe.customers.list().data)


def test_before_the_effect_a_timeout_leaves_nothing(own_shop: Shop) -> None:
    own_shop.order("faults", {"next": [{"fault": "timeout_before"}]})
    with pytest.raises(httpx.TransportError):
        create(own_shop, "k")
    assert count(own_shop) == 0
    assert create(own_shop, "k").status_code == 200


def test_after_the_effect_a_timeout_is_found_again_by_its_key(own_shop: Shop) -> None:
    own_shop.order("faults", {"next": [{"fault": "timeout_after"}]})
    with pytest.raises(httpx.TransportError):
        create(own_shop, "k")
    assert count(own_shop) == 1
    assert create(own_shop, "k").headers["idempotent-replayed"] == "true"
    assert count(own_shop) == 1


def test_stripes_client_retries_over_a_lost_answer_without_doing_it_twice(own_shop: Shop) -> None:
    own_shop.order("faults", {"next": [{"fault": "timeout_after"}]})
    client(own_shop.base, max_network_retries=1).v1.customers.create()
    assert count(own_shop) == 1


def test_a_500_has_no_effect_and_is_the_keys_answer_from_then_on(own_shop: Shop) -> None:
    own_shop.order("faults", {"next": [{"fault": "500"}]})
    assert [create(own_shop, "k").status_code for _ in range(2)] == [500, 500]
    assert count(own_shop) == 0
    assert create(own_shop, "another").status_code == 200


@pytest.mark.parametrize(("fault", "code"), [("429", "rate_limit"), ("409", None)])
def test_a_refusal_at_the_door_is_not_stored(own_shop: Shop, fault: str, code: Any) -> None:
    own_shop.order("faults", {"next": [{"fault": fault}]})
    refused = create(own_shop, "k")
    assert refused.status_code == int(fault)
    assert refused.json()["error"]["code"] == (code or "idempotency_key_in_use")
    assert create(own_shop, "k").status_code == 200


def test_a_fault_strikes_only_what_it_names_and_only_once(own_shop: Shop) -> None:
    named = {"fault": "500", "method": "POST", "path": "/v1/customers/*"}
    own_shop.order("faults", {"next": [named]})
    customer = own_shop.customer()
    assert len(own_shop.read("faults")["next"]) == 1
    with pytest.raises(stripe.APIError):
        own_shop.stripe.customers.update(customer, {"name": "x"})
    assert own_shop.stripe.customers.update(customer, {"name": "x"}).name == "x"


@pytest.mark.parametrize("order", [{"next": {}}, {"next": [{"fault": "fire"}]}, {"then": []}])
def test_a_fault_that_is_not_known_is_refused(own_shop: Shop, order: Any) -> None:
    assert own_shop.order("faults", order).status_code == 400


def test_a_key_in_flight_is_409(own_shop: Shop) -> None:
    own_shop.order("faults", {"next": [{"delay": 1}]})
    answers: list[int] = []
    slow = threading.Thread(target=lambda: answers.append(create(own_shop, "k").status_code))
    slow.start()
    wait_for(lambda: own_shop.read("faults")["next"] == [])
    second = create(own_shop, "k")
    assert second.status_code == 409
    assert second.json()["error"]["code"] == "idempotency_key_in_use"
    slow.join()
    assert answers == [200]


def test_one_key_sent_by_many_at_once_is_done_once(own_shop: Shop) -> None:
    answers = in_parallel(8, lambda: create(own_shop, "k").status_code)
    assert set(answers) <= {200, 409}
    assert count(own_shop) == 1


def in_parallel(times: int, do: Callable[[], int]) -> list[int]:
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(do())) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_requests_are_answered_while_a_webhook_is_being_delivered(own_shop: Shop) -> None:
    class Slow(Listener):
        def finish_request(self, request: Any, client_address: Any) -> None:
            gate.wait(PATIENCE_SECONDS)
            super().finish_request(request, client_address)

    gate = threading.Event()
    listener = Slow()
    threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}).start()
    own_shop.stripe.webhook_endpoints.create({"url": listener.url, "enabled_events": ["*"]})
    own_shop.customer()
    assert count(own_shop) == 1
    assert not listener.received
    gate.set()
    wait_for(lambda: listener.received)
    listener.shutdown()
    listener.server_close()
