"""Every wallet is the sum of its entries, and somebody looks whether it is."""

from types import SimpleNamespace
from typing import Any

import pytest

import check_ledger
from billing import runtime
from billing.adapters.dynamodb import keys, ledger
from billing.adapters.dynamodb.transaction import Transaction
from billing.usecases import proof
from infra import check_ledger as command
from tests.factories import event_file
from tests.functions.product import Product
from tests.functions.purse import ANA, grant, send
from tests.functions.team import join, remove


@pytest.fixture
def spent(team: Product, monkeypatch: pytest.MonkeyPatch) -> Product:
    """A team with credits in two wallets, one of them a removed member's."""
    monkeypatch.setattr("billing.runtime.sleep", lambda seconds: None)
    member = join(team)
    grant(team, 1000)
    send(team, member, 100)
    remove(team, member)
    return team


class Killed(BaseException):
    """The function's time is up: nothing of ours runs any more."""


def run(milliseconds: int = 900_000) -> dict[str, int]:
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds)
    return check_ledger.handler(event_file("check_ledger"), context)


def tamper(product: Product, **numbers: int) -> None:
    write = Transaction()
    write.set(keys.wallet_key(product.account, ANA), numbers, where={}, otherwise=LookupError(ANA))
    write.commit()


def test_a_ledger_that_agrees_is_found_to_agree(spent: Product) -> None:
    assert run()["mismatches"] == 0
    assert proof.check_account(spent.account, runtime.now()) == []


def test_a_wallet_that_is_not_the_sum_of_its_entries_is_found_and_told(
    spent: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    tamper(spent, balance=901)
    assert run()["mismatches"] == 1
    assert '"Alert":[1.0]' in capsys.readouterr().out.replace(" ", "")
    [found] = proof.check_account(spent.account, runtime.now())
    assert (found.person, found.number, found.kept, found.summed) == (ANA, "balance", 901, 900)
    tamper(spent, balance=900)


def test_an_index_that_is_behind_for_a_moment_is_no_mismatch(
    spent: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ledger.newest_first
    looks: list[int] = []

    def behind(account: str, **how: Any) -> Any:
        looks.append(0)
        found = list(whole(account, **how))
        return found[1:] if len(looks) == 1 else found

    monkeypatch.setattr(ledger, "newest_first", behind)
    assert proof.check_account(spent.account, runtime.now()) == []
    assert len(looks) == 2


def test_a_run_that_is_cut_off_is_continued_by_the_next_one(
    spent: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each looks at one account of all there are, and no account is looked at twice."""
    for number in range(4):
        spent.beside(f"{spent.account}-{number}").billing()
    seen: list[str] = []

    def look(account: str, now: Any) -> list[Any]:
        seen.append(account)
        return []

    monkeypatch.setattr(proof, "check_account", look)
    everyone = run()["accounts"]
    first, seen[:] = sorted(seen), []
    for _ in first:
        left = [0, 900_000]
        context = SimpleNamespace(get_remaining_time_in_millis=left.pop)
        check_ledger.handler(event_file("check_ledger"), context)
    assert (sorted(seen), len(seen)) == (first, everyone)


def test_an_account_that_cannot_be_checked_is_told_and_keeps_no_other_waiting(
    spent: Product, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        spent.beside(f"{spent.account}-{number}").billing()
    everyone = run()["accounts"]
    whole = ledger.newest_first

    def unreadable(account: str, **how: Any) -> Any:
        if account == spent.account:
            raise ValueError("credits that move are a whole number from 1, not 0")
        return whole(account, **how)

    monkeypatch.setattr(ledger, "newest_first", unreadable)
    assert run() == {"accounts": everyone - 1, "mismatches": 0, "failed": 1}
    assert '"Alert":[1.0]' in capsys.readouterr().out.replace(" ", "")
    assert command.check() == 1
    assert f"{spent.account} cannot be checked" in capsys.readouterr().out


def test_a_run_that_dies_is_continued_close_to_where_it_was(
    spent: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends it leaves no account behind for good."""
    for number in range(7):
        spent.beside(f"{spent.account}-{number}").billing()
    everyone = run()["accounts"]
    monkeypatch.setattr(proof, "_SAVED_EVERY", 3)
    seen: list[str] = []

    left = [7]

    def look(account: str, now: Any) -> list[Any]:
        if len(seen) == left[0]:
            raise Killed
        seen.append(account)
        return []

    monkeypatch.setattr(proof, "check_account", look)
    with pytest.raises(Killed):
        run()
    left[0] = 900
    assert run()["accounts"] == everyone - 6
    assert len(set(seen)) == everyone


def test_the_command_checks_the_whole_table_and_fails_on_a_mismatch(
    spent: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.check() == 0
    tamper(spent, spent=1)
    assert command.check() == 1
    assert f"{spent.account} {ANA} spent: 1 kept, 0 by its entries" in capsys.readouterr().out
    tamper(spent, spent=0)
