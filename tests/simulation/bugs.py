"""Planted bugs: each a small change to the code under test, which the oracles must catch.

A harness that finds nothing may be blind. So every run breaks the product on purpose, one way after
the other, and wants each seen.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from botocore.exceptions import BotoCoreError, ClientError

import webhook_process
from billing import charge_views, runtime
from billing.adapters.dynamodb import history, keys, ledger, marks, purchases, wallets
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction
from billing.adapters.stripe import endings, gateway, payments
from billing.adapters.stripe import top_ups as charges
from billing.domain import credits, members, people
from billing.domain import purchases as buying
from billing.domain.access import Access, AccessState
from billing.domain.account import CheckoutStatus, MemberStatus
from billing.domain.credits import Cause, Entry, Hold, Movement, Wallet
from billing.domain.top_ups import Hindrance, TopUp
from billing.usecases import checkout as opening
from billing.usecases import credits as sending
from billing.usecases import fulfilment, overview, snapshots
from billing.usecases import members as membership
from billing.usecases import purchases as buying_back
from billing.usecases import subscription as subscribing
from billing.usecases import top_ups as topping_up
from tests.simulation.choices import Seeded
from tests.simulation.oracles import Violation
from tests.simulation.play import PROFILES, Plan, Theatre, busy_wallets, plan
from tests.simulation.table_port import TablePort

_ANYTHING = "attribute_exists(pk) OR attribute_not_exists(pk)"


@dataclass(frozen=True)
class Bug:
    """`profile` is the kind of histories in which it is looked for; `scripts` what people do in
    them, where chance would take long to come upon it. `busy` wallets never stay as they were read.
    """

    name: str
    profile: str
    plant: Callable[[], AbstractContextManager[Any]]
    scripts: tuple[tuple[str, ...], ...] = ()
    busy: bool = False


@dataclass(frozen=True)
class Caught:
    oracle: str
    histories: int


def hunt(stage: Theatre, bug: Bug, at_most: int = 1_500) -> Caught | None:
    """The first history in which it shows, of the same ones in every run; None if it hides."""
    with bug.plant(), busy_wallets() if bug.busy else nullcontext():
        for seed in range(at_most):
            choices = Seeded(seed)
            wanted = plan(choices.random, bug.profile)
            if bug.scripts:
                wanted = Plan(PROFILES[bug.profile][0], bug.scripts)
            try:
                stage.play(choices, wanted)
            except Violation as violation:
                return Caught(violation.oracle, seed + 1)
    return None


def _patched(place: Any, name: str, made: Callable[[Any], Any]) -> Callable[[], Any]:
    """`made` makes of what is there what it is replaced by."""
    return lambda: patch.object(place, name, made(getattr(place, name)))


def _unconditional(*sort_keys: str, pk: str = "") -> Callable[[], Any]:
    """Rows with such keys are written over whatever is there: the beginning of `sk`, the end of
    `pk`."""

    def made(whole: Any) -> Any:
        def replace_row(self: Transaction, item: Any, *, version: int) -> None:
            if item["sk"].startswith(sort_keys) and item["pk"].endswith(pk):
                row = {**item, "version": version + 1}
                self._put(row, _ANYTHING, {}, StaleWrite(item["sk"]))
            else:
                whole(self, item, version=version)

        return replace_row

    return _patched(Transaction, "replace", made)


def _without(place: Any, name: str) -> Callable[[], Any]:
    return _patched(place, name, lambda _: _nothing)


def _one_more(whole: Any) -> Any:
    def view(*given: Any) -> Any:
        shown = whole(*given)
        return {**shown, "purchased": shown["purchased"] + 1}

    return view


def _same(made: Any) -> Callable[[Any], Any]:
    return lambda _: made


def _in_two_commits(first: Callable[[Any], bool]) -> Callable[[], Any]:
    """The writes that `first` picks are committed before the others."""

    def made(whole: Any) -> Any:
        def commit(self: Transaction, **how: Any) -> None:
            pairs = list(zip(self._writes, self._errors, strict=True))
            for wanted in (True, False):
                part = Transaction()
                for write, error in pairs:
                    if first(write) is wanted:
                        part._add(write, error)
                if part._writes:
                    whole(part, **how)

        return commit

    return _patched(Transaction, "commit", made)


def _key_of(write: Any) -> str:
    (inner,) = write.values()
    key = inner.get("Item") or inner["Key"]
    return f"{key['pk']['S']} {key['sk']['S']}"


def _commit_that_ignores(*errors: type[BaseException]) -> Callable[[], Any]:
    def made(whole: Any) -> Any:
        def commit(self: Transaction, **how: Any) -> None:
            try:
                whole(self, **how)
            except errors:
                return

        return commit

    return _patched(Transaction, "commit", made)


def _deaf_to(heard: Callable[[Exception], bool]) -> Callable[[], Any]:
    """Such an answer of the table counts as if all were well."""

    def made(whole: Any) -> Any:
        def transact(self: TablePort, **asked: Any) -> Any:
            try:
                return whole(self, **asked)
            except (ClientError, BotoCoreError) as error:
                if heard(error):
                    return {}
                raise

        return transact

    return _patched(TablePort, "transact_write_items", made)


def _of_a_conflict(error: Exception) -> bool:
    return "TransactionConflict" in str(error)


def _of_nobody(error: Exception) -> bool:
    return isinstance(error, BotoCoreError)


def _first_fetch_kept() -> Any:
    """What was fetched once is not fetched again."""
    whole, known = gateway.subscription, dict[str, Any]()

    def subscription_once(name: str) -> Any:
        if runtime.now().timestamp() < known.get("until", 0):
            known.clear()
        known["until"] = runtime.now().timestamp()
        if name not in known:
            known[name] = whole(name)
        return known[name]

    return patch.object(gateway, "subscription", subscription_once)


def _random_cause() -> Any:
    def made(**given: Any) -> Any:
        return Cause(**{**given, "id": runtime.unique()})

    return patch.object(sending, "Cause", made)


def _random_customer_key() -> Any:
    whole = gateway.create_customer

    def create(account: Any) -> str:
        number = int(runtime.unique()[:8], 16)
        return whole(replace(account, customer_generation=number))

    return patch.object(gateway, "create_customer", create)


def _not_kept(cause: Cause, names: tuple[str, ...], refusal: Exception) -> Entry:
    """As if each try were the first one, unless it was done."""
    if any(ledger.outcome(cause.account, name) for name in names):
        return sending._first(cause, names)
    raise refusal


def _nothing(*_: Any, **__: Any) -> None:
    return


def _entry_written_over() -> Any:
    whole = Transaction.insert

    def insert(self: Transaction, item: Any, *, otherwise: Any, table: str = "billing") -> None:
        if item["pk"].startswith("ENTRY#"):
            self._put(item, _ANYTHING, {}, otherwise, table)
        else:
            whole(self, item, otherwise=otherwise, table=table)

    return patch.object(Transaction, "insert", insert)


def _let_go(whole: Any) -> Any:
    def process(message: str) -> None:
        try:
            whole(message)
        except Exception:
            return

    return process


def _with_slots(change: int) -> Callable[[Any], Any]:
    """Decides as `whole` does and counts one more or less."""

    def made(whole: Any) -> Any:
        def decide(*given: Any) -> Any:
            found = whole(*given)
            if found is None or not found.written:
                return found
            slots = replace(found.slots, occupied=found.slots.occupied + change)
            return replace(found, slots=slots)

        return decide

    return made


def _roomier(whole: Any) -> Any:
    return lambda self, purchased: whole(self, purchased) + 1


def _keeping_access(whole: Any) -> Any:
    def access_at(now: Any, base: Any, grace: Any) -> Any:
        found = whole(now, base, grace)
        return Access(AccessState.ACTIVE, None) if found.state is AccessState.ENDED else found

    return access_at


def _without_answer(write: Transaction, account: str, command: Any, _: Any) -> None:
    key = keys.command_key(account, command.id)
    write.set(key, {"answer": None}, where={}, otherwise=LookupError())


def _anew(session: str) -> str:
    return f"grant-{session}-{runtime.unique()}"


def _as_if_paid(whole: Any) -> Any:
    def payment_of(session: str) -> Any:
        found = whole(session)
        return found and replace(found, paid=True)

    return payment_of


def _debiting(whole: Any) -> Any:
    """What is contested counts as lost."""

    def disputed(charge: str) -> tuple[int, int]:
        return sum(whole(charge)), 0

    return disputed


def _forgetful_pages(whole: Any) -> Any:
    """What a closed reservation was to replace is forgotten."""

    def pages(rows: Any, choice: Any, now: Any) -> Any:
        if rows.checkout is not None and rows.checkout.status is CheckoutStatus.CLOSED:
            return ()
        return whole(rows, choice, now)

    return pages


@contextmanager
def _nobody_follows() -> Iterator[None]:
    """Neither the command nor the webhook ends what goes with the base, or notices."""
    with (
        patch.object(subscribing, "follow_base", _nothing),
        patch.object(fulfilment, "follow_base", _nothing),
        patch.object(subscribing, "strays", lambda *_: False),
    ):
        yield


@contextmanager
def _forgetting_and_unasked() -> Iterator[None]:
    """Alone it is harmless: Stripe is asked what it bills before another page is opened."""
    forgetful = _forgetful_pages(opening._pages_in_the_way)
    with (
        patch.object(opening, "_pages_in_the_way", forgetful),
        patch.object(opening, "_require_none_at_stripe", _nothing),
    ):
        yield


def _adding_without(*conditions: str) -> Callable[[], Any]:
    """To a busy wallet."""

    def made(whole: Any) -> Any:
        def add(self: Transaction, key: Any, changes: Any, **how: Any) -> None:
            kept = {
                asked: {name: each for name, each in how[asked].items() if name not in conditions}
                for asked in ("at_least", "at_most", "where")
            }
            whole(self, key, changes, **{**how, **kept})

        return add

    return _patched(Transaction, "add", made)


def _still_balanced(_: Any) -> Any:
    """In the order of the ticks, with the balances of before."""

    def numbered(self: Movement, tick: int) -> Movement:
        entries = [replace(each, sequence=tick + n) for n, each in enumerate(self.entries)]
        last = entries[-1].sequence
        wallets = {name: replace(each, sequence=last) for name, each in self.wallets.items()}
        return Movement(tuple(entries), wallets)

    return numbered


def _untold(whole: Any) -> Any:
    """The row forgets that its owner was told."""

    def put(write: Any, account: str, wallet: Any, *, version: int) -> None:
        whole(write, account, replace(wallet, alerted=False), version=version)

    return put


def _without_alerts(whole: Any) -> Any:
    return lambda write, movement, versions: whole(write, replace(movement, alerts=()), versions)


def _one_wallet_only(whole: Any) -> Any:
    def append(write: Any, movement: Any, versions: Any) -> None:
        first = dict(list(movement.wallets.items())[:1])
        whole(write, replace(movement, wallets=first), versions)

    return append


def _limited(whole: Any, wallet: Wallet, how: Any) -> Wallet:
    """As `whole` counts where there is no limit."""
    counted: Wallet = whole(replace(wallet, limit=None), *how)
    return replace(counted, limit=wallet.limit)


def _given_back(wallet: Wallet, count: int, month: str) -> Wallet:
    return replace(wallet, used=wallet.used - count)


def _unlimited(_: Any) -> Any:
    return lambda hold, count: replace(hold, left=hold.left - count)


def _never_closing(whole: Any) -> Any:
    def open_or_close(write: Any, rows: Any, member: Any) -> None:
        if member.status is MemberStatus.ACTIVE:
            whole(write, rows, member)

    return open_or_close


@contextmanager
def _invoices_of_their_own() -> Iterator[None]:
    """Whoever answers a fall drafts another one, and decides for that."""
    whole = charges.draft_invoice

    def draft(order: Any, *given: Any, **more: Any) -> str:
        return whole(replace(order, attempt=int(runtime.unique()[:8], 16)), *given, **more)

    def decided(self: Any, order: Any, invoice: str) -> Any:
        return replace(self, order=self.order and replace(self.order, invoice=invoice))

    with patch.object(charges, "draft_invoice", draft), patch.object(TopUp, "decided", decided):
        yield


@contextmanager
def _no_cap() -> Iterator[None]:
    whole = TopUp.hindrance

    def hindrance(self: Any, due: Any, *, access: bool) -> Any:
        found = whole(self, due, access=access)
        return None if found is Hindrance.CAP else found

    always = patch.object(TopUp, "affords", lambda *_: True)
    with always, patch.object(TopUp, "hindrance", hindrance):
        yield


def _going_on(top_up: Any, wallet: Any, because: Any, now: Any) -> Any:
    told = ("top_up.stopped", {"wallet": wallet.person})
    again = replace(wallet, look_at=now) if wallet.fell else wallet
    return top_up.without_order(), again, told


def _itself(self: Any, *_: Any) -> Any:
    return self


def _unseen(whole: Any) -> Any:
    return lambda self, name, now: replace(whole(self, name, now), look_at=None)


def _uncounted(whole: Any) -> Any:
    def ordering(self: Any, *given: Any) -> Any:
        return replace(whole(self, *given), charged=self.charged)

    return ordering


_FALLS = (("top up twice", "send 3 mia", "bus"), ("bus", "renewals"), ("bus",))
_DECLINED = (("card", "pay by a card that fails later", "top up", "send 3 mia", "bus"),)
_REVERSED = (
    ("top up", "buy 500", "pay", "the news", "send 500 ben", "refund all", "the news", "bus"),
)
_TOO_MANY = (("top up", "send 3 mia", "bus", "send 500 ben", "bus"),)
_FLOOD = (("invite mia",) * 4, ("invite mia",) * 4)
_TWO_TABS = (("check out monthly", "pay every page"), ("check out annual", "pay every page"))
_ONCE_MORE = (("check out monthly", "pay"), ("check out annual", *_TWO_TABS[1]))
_AT_MONTHS_END = (("a minute", "hold 3 mia", "return 3", "hold 3 mia"),)
_TWO_AFTER_MONTHS_END = (("a minute", "hold 3 mia"), ("hold 3 mia",))
_AT_ONCE = (("hold 3 mia",), ("hold 3 mia",), ("spend 4",), ("send 3 mia",))
_ON_ONE_HOLD = (("spend 4",), ("spend 1, return 3",), ("hold 3 mia",), ("hold 3 mia",))
_TWO_MINDS = (("cancel", "resume"), ("cycle annual",))

BUGS = (
    Bug("the wallets are not written against what was read", "credits", _unconditional("WALLET#")),
    Bug("an entry may be written over", "credits", _entry_written_over),
    Bug("an entry's id is not the command's", "credits", _random_cause),
    Bug(
        "the entry commits before the wallets",
        "credits",
        _in_two_commits(lambda write: _key_of(write).startswith("ENTRY#")),
    ),
    Bug(
        "the wallets commit before the entry",
        "credits",
        _in_two_commits(lambda write: "WALLET#" in _key_of(write)),
    ),
    Bug(
        "a refusal is not kept",
        "holds",
        _patched(sending, "_refused", _same(_not_kept)),
        (("limit mia 10", "hold 7 mia", "hold 7 mia", "no limit mia"),),
    ),
    Bug("the balance is not looked at", "credits", _without(credits, "_require")),
    Bug("one wallet is forgotten", "credits", _patched(ledger, "append", _one_wallet_only)),
    Bug(
        "a removed member's wallet stays open",
        "credits",
        _patched(membership, "_put_wallet", _never_closing),
    ),
    Bug(
        "what is used is not counted",
        "holds",
        _patched(Wallet, "using", lambda _: lambda self, *_: self),
    ),
    Bug(
        "the limit is not asked",
        "holds",
        _patched(Wallet, "using", lambda whole: lambda self, *how: _limited(whole, self, how)),
    ),
    Bug(
        "what is returned still counts as used",
        "holds",
        _patched(Wallet, "not_using", lambda _: lambda self, *_: self),
    ),
    Bug(
        "what is returned is given back to any month",
        "holds",
        _patched(Wallet, "not_using", lambda _: _given_back),
        _AT_MONTHS_END,
    ),
    Bug(
        "a new month goes on counting the old one",
        "holds",
        _patched(Wallet, "used_at", lambda _: lambda self, _: self.used),
        _AT_MONTHS_END,
    ),
    Bug("the limit is not held by the row", "crowd", _adding_without("used"), busy=True),
    Bug("a limit set meanwhile is not seen", "crowd", _adding_without("limit"), busy=True),
    Bug(
        "who was overtaken keeps their number",
        "crowd",
        _adding_without("sequence"),
        _AT_ONCE,
        busy=True,
    ),
    Bug(
        "a balance is taken from what was read",
        "crowd",
        _patched(Movement, "numbered", _still_balanced),
        _AT_ONCE,
        busy=True,
    ),
    Bug(
        "two begin the same month",
        "crowd",
        _adding_without("used", "used_month"),
        _TWO_AFTER_MONTHS_END,
        busy=True,
    ),
    Bug(
        "what is left of a hold is not looked at",
        "holds",
        _patched(Hold, "settled", _unlimited),
        (("hold 7 mia", "spend 4", "spend 4"),),
    ),
    Bug(
        "a hold is not written against what was read",
        "crowd",
        _unconditional("", pk="#HOLDS"),
        _ON_ONE_HOLD,
        busy=True,
    ),
    Bug("a low balance is told again and again", "credits", _patched(wallets, "put", _untold)),
    Bug("a low balance is not told", "credits", _patched(ledger, "append", _without_alerts)),
    Bug(
        "a grant is not named by its payment",
        "packages",
        _patched(buying, "grant_id", _same(_anew)),
    ),
    Bug("credits come before the money", "packages", _patched(payments, "payment_of", _as_if_paid)),
    Bug(
        "a dispute takes what it only contests",
        "packages",
        _patched(payments, "_disputed", _debiting),
    ),
    Bug("what was taken back is not noted", "packages", _without(purchases, "put")),
    Bug("SLOTS is not written against what was read", "team", _unconditional("SLOTS")),
    Bug(
        "there is room for one more",
        "team",
        _patched(
            members.Slots,  # type: ignore[attr-defined]
            "room",
            _roomier,
        ),
    ),
    Bug("removing somebody frees no slot", "team", _patched(members, "remove", _with_slots(1))),
    Bug("accepting takes a second slot", "team", _patched(people, "accepted", _with_slots(1))),
    Bug(
        "a member commits before SLOTS does",
        "team",
        _in_two_commits(lambda write: "SLOTS" not in _key_of(write)),
    ),
    Bug(
        "an invitation commits before it is counted",
        "team",
        _in_two_commits(lambda write: "#INVITATIONS" not in _key_of(write)),
        _FLOOD,
    ),
    Bug("what happens is not told", "team", _without(history, "append")),
    Bug("a stale write counts as done", "team", _commit_that_ignores(StaleWrite)),
    Bug("a transaction conflict counts as done", "team", _deaf_to(_of_a_conflict)),
    Bug("no answer counts as done", "team", _deaf_to(_of_nobody)),
    Bug(
        "subscriptions are written over whatever is there",
        "life",
        _unconditional("SUBSCRIPTION#"),
        _TWO_MINDS,
    ),
    Bug("what was fetched once is not fetched again", "life", _first_fetch_kept),
    Bug("an event that fails is let go", "life", _patched(webhook_process, "_process", _let_go)),
    Bug(
        "what was lost counts as seen", "life", _patched(marks, "not_done", lambda _: lambda _: [])
    ),
    Bug(
        "slots do not end with the base",
        "ending, annual",
        _nobody_follows,
        (("cancel",),),
    ),
    Bug(
        "what is still charged is not named",
        "ending, annual",
        _patched(charge_views, "charges_view", _same(lambda _: [])),
        (("cancel, keeping slots",),),
    ),
    Bug(
        "slots that are kept are as many as before",
        "ending, annual",
        _without(endings, "lower_quantity"),
        (("slots 1", "cancel, keeping slots"),),
    ),
    Bug("an answer says what is not so", "slots", _patched(snapshots, "show_slots", _one_more)),
    Bug(
        "the first answer is not kept",
        "life",
        _patched(marks, "answer_command", _same(_without_answer)),
    ),
    Bug("who has ended keeps access", "life", _patched(overview, "access_at", _keeping_access)),
    Bug(
        "another choice does not look for pages in the way",
        "money",
        _patched(opening, "_pages_in_the_way", lambda _: lambda *_: ()),
        _TWO_TABS,
    ),
    Bug(
        "a page that is replaced stays open",
        "money",
        _patched(gateway, "close_checkout", lambda _: lambda session: True),
        _TWO_TABS,
    ),
    Bug(
        "a page that was paid is forgotten",
        "money",
        _forgetting_and_unasked,
        _ONCE_MORE,
    ),
    Bug("a customer's key is made anew for each try", "money", _random_customer_key),
    Bug(
        "who answers a fall drafts an invoice of their own",
        "top ups",
        _invoices_of_their_own,
        _FALLS,
    ),
    Bug(
        "the cap is not looked at",
        "top ups",
        _no_cap,
        _TOO_MANY,
    ),
    Bug(
        "what is begun is not counted",
        "top ups",
        _patched(TopUp, "ordering", _uncounted),
        _TOO_MANY,
    ),
    Bug("a paid top-up stays under way", "top ups", _patched(TopUp, "completed", _same(_itself))),
    Bug(
        "a declined card does not stop it",
        "top ups",
        _patched(topping_up, "stopped", _same(_going_on)),
        _DECLINED,
    ),
    Bug(
        "a reversal is answered with a charge",
        "top ups",
        _patched(buying_back, "_stopped", lambda _: lambda write, account, *given: given[:2]),
        _REVERSED,
    ),
    Bug("nobody looks at a wallet that fell", "top ups", _patched(Wallet, "watched", _unseen)),
)
