"""Behaviours that others got wrong where things happen at once or are cut off: for each the few
histories that are about it, all of one kind. What holds in every history is held here as well.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from billing.domain.rate_limits import SENDS_A_DAY
from tests.simulation.choices import OVERTAKEN, Aim, Scripted, Seeded
from tests.simulation.cloud import DUPLICATED, STRIPE_DELIVERS
from tests.simulation.entries import LEDGER, is_entry
from tests.simulation.exhaustive import Script, faults_of
from tests.simulation.play import Plan, Theatre
from tests.simulation.scheduler import CRASH_AFTER, CRASH_BEFORE, ENDINGS, GIVEN_UP
from tests.simulation.stripe_port import BROKEN, UNHEARD
from tests.simulation.table_port import CONFLICT, REPEATED, REQUEST_LOST, RESPONSE_LOST, decoded

WRITE = "dynamodb TransactWriteItems"
HARD = (*ENDINGS, OVERTAKEN, CONFLICT, RESPONSE_LOST, REQUEST_LOST)


def one_after_another(*commands: str, beginning: str = "full") -> Plan:
    return Plan(beginning, (commands,))


def at_once(*commands: str, beginning: str = "full") -> Plan:
    return Plan(beginning, tuple((command,) for command in commands))


def with_each(
    stage: Theatre, plan: Plan, faults: Iterable[str], *, at: Callable[[str], bool]
) -> Iterator[Script]:
    """A history for each of `faults` at each call whose kind is one of these."""
    quiet = Scripted()
    stage.play(quiet, plan)
    kinds = [kind for kind, _ in quiet.offered]
    for place, fault in faults_of(stage, plan):
        if fault in faults and at(kinds[place]):
            script = ((place, fault),)
            stage.play(Scripted(script), plan)
            yield script


def entries(stage: Theatre, plan: Plan, kind: str) -> list[int]:
    """How many credits moved in each since the history began, in no order."""
    began = stage.beginnings[plan.beginning].store.rows(LEDGER)
    rows = stage.cloud.store.rows(LEDGER).items()
    since = [decoded(row) for key, row in rows if key not in began and is_entry(row)]
    return sorted(row["credits"] for row in since if row["kind"] == kind)


def test_the_same_payment_told_twice_or_as_two_different_event_ids_grants_once(
    stage: Theatre,
) -> None:
    plan = one_after_another("Stripe tells it twice", "buy 500", "pay")
    told = 0
    for seed in range(12):
        stage.play(Seeded(seed, (Aim(STRIPE_DELIVERS, DUPLICATED, after=seed // 2),)), plan)
        told += stage.cloud.scheduler.injected[STRIPE_DELIVERS, DUPLICATED]
        assert entries(stage, plan, "grant") == [500]
    assert told == 12


def test_two_workers_settle_the_same_payment_at_once_it_is_settled_once(stage: Theatre) -> None:
    """Nobody waits for the first any longer, and so the second has the same message."""
    plan = one_after_another("buy 500", "pay")
    fetched = "stripe GET /v1/checkout/sessions/{session}"
    met = 0
    for seed in range(40):
        told: list[str] = []
        stage.play(Seeded(seed, (Aim(fetched, GIVEN_UP),), hasty=True), plan, told)
        assert entries(stage, plan, "grant") == [500], seed
        met += both_at_it(told)
    assert met > 5


def both_at_it(told: list[str]) -> bool:
    """Whether the second had begun before the first wrote anything."""
    steps = [line for line in told if "webhook_process(checkout.session.completed)" in line]
    written = [WRITE in line for line in steps].index(True)
    return any("completed) 2:" in line for line in steps[:written])


def test_grant_payment_status_and_the_mark_against_doing_it_again_commit_together(
    stage: Theatre,
) -> None:
    """Cut off before or after each write, or the answer to it lost."""
    plan = one_after_another("buy 500", "pay")
    faults = (CRASH_BEFORE, CRASH_AFTER, RESPONSE_LOST, REPEATED)
    for script in with_each(stage, plan, faults, at=WRITE.__eq__):
        assert entries(stage, plan, "grant") == [500], script


def test_the_check_and_the_debit_of_a_transfer_are_one_atomic_step(stage: Theatre) -> None:
    """Of 10 credits 7 and 6 are sent at once: one of the two is refused."""
    plan = at_once("send 7 mia", "send 6 ben")
    for script in with_each(stage, plan, HARD, at=lambda kind: True):
        assert entries(stage, plan, "transfer") in ([7], [6]), script


def test_concurrent_settlements_of_one_hold_never_exceed_its_amount(stage: Theatre) -> None:
    """Of 6 that are held 4 are spent by the one, and 4 spent or returned by the other."""
    plan = at_once("spend 4", "spend 1, return 3", beginning="stocked")
    for script in with_each(stage, plan, HARD, at=lambda kind: True):
        settled = entries(stage, plan, "spend"), entries(stage, plan, "return")
        assert settled in (([4], []), ([1], [3])), script


def test_concurrent_spends_are_never_lost_and_no_balance_goes_negative(stage: Theatre) -> None:
    """There are 14, and 9 may be used before the month is over."""
    plan = at_once("hold 7 mia", "spend 4", "hold 7 mia", "hold 7 mia", beginning="stocked")
    for seed in range(60):
        stage.play(Seeded(seed), plan)
        assert entries(stage, plan, "spend") == [4], seed
        assert entries(stage, plan, "hold") in ([7], [7, 7]), seed


def test_n_concurrent_downloads_make_n_debits(stage: Theatre) -> None:
    plan = at_once(*["hold 3 mia"] * 3, beginning="stocked")
    for seed in range(60):
        stage.play(Seeded(seed), plan)
        assert entries(stage, plan, "hold") == [3, 3, 3], seed


def test_timeout_with_unknown_outcome_then_the_user_tries_again_one_charge(stage: Theatre) -> None:
    slots = ("check out monthly", "pay", "the news", "slots 2", "slots 2")
    for plan in (
        one_after_another(*slots, beginning="new"),
        one_after_another("slots 3, quoted", "slots 3", beginning="team"),
        one_after_another("card", "pay", beginning="overdue"),
    ):
        stage.play(Scripted(), plan)
        once = charges(stage)
        faults = (RESPONSE_LOST, UNHEARD, BROKEN, GIVEN_UP)
        for script in with_each(stage, plan, faults, at=lambda kind: "stripe POST" in kind):
            assert charges(stage) == once, script


def charges(stage: Theatre) -> list[int]:
    return [each["amount"] for each in stage.cloud.box.all("charge") if each["paid"]]


def test_invitations_cannot_be_used_to_flood_an_address(stage: Theatre) -> None:
    """Seven at once, in two tabs and through withdrawals; five are sent, whatever fails."""
    plan = Plan("team", (("invite mia",) * 4, ("invite mia", "remove mia", *("invite mia",) * 2)))
    stage.play(Scripted(), plan)
    assert invitations(stage) == SENDS_A_DAY
    for seed in range(60):
        stage.play(Seeded(seed), plan)
        assert invitations(stage) <= SENDS_A_DAY, seed


def invitations(stage: Theatre) -> int:
    rows = stage.cloud.store.partition("ACCOUNT#acme#HISTORY").values()
    return sum(row["event"]["S"] == "member.invited" for row in rows)


def test_a_start_close_to_the_functions_time_limit_cannot_wedge_the_retries(
    stage: Theatre,
) -> None:
    """Its time is up at any call; what was sent is sent once, and everybody gets an answer."""
    plan = one_after_another("send 7 mia")
    for script in with_each(stage, plan, ENDINGS, at=lambda kind: True):
        assert entries(stage, plan, "transfer") == [7], script


def test_no_idempotency_key_contains_a_wall_clock_time(stage: Theatre) -> None:
    """The same is asked of Stripe under the same keys an hour later."""
    for beginning, commands in (
        ("new", ("check out monthly",)),
        ("full", ("buy 500", "cycle annual", "card")),
        ("team", ("slots 3, quoted", "slots 1", "cancel", "resume")),
        ("overdue", ("pay invoice",)),
    ):
        found = []
        for waiting in ((), ("an hour",)):
            with keys_sent(stage) as keys:
                script = (*waiting, *commands)
                stage.play(Scripted(), one_after_another(*script, beginning=beginning))
            found.append(keys)
        assert found[0] == found[1] != []


@contextmanager
def keys_sent(stage: Theatre) -> Iterator[list[str]]:
    """With every POST to Stripe."""
    sent: list[str] = []
    whole = stage.cloud.requests._tried

    def noting(method: str, url: str, params: Any, key: str | None) -> Any:
        if key is not None:
            sent.append(f"{method} {url} {key}")
        return whole(method, url, params, key)

    with patch.object(stage.cloud.requests, "_tried", noting):
        yield sent
