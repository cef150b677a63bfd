"""What must hold after every step, and what must hold when everything has come to rest.

Written against the rows and Stripe's objects themselves, with none of the product's own decisions:
a rule that is wrong there must not be wrong here in the same way.
"""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Self

from billing.domain.events import STRIPE
from billing.domain.rate_limits import SENDS_A_DAY
from billing.domain.times import from_epoch, rfc3339
from infra.local.stripe_sandbox.state import Body
from tests.simulation import entries
from tests.simulation.cloud import Beginning, Cloud
from tests.simulation.commands import Done, People, of
from tests.simulation.expressions import Row
from tests.simulation.store import MAIN, Written
from tests.simulation.table_port import decoded

LIVE = ("trialing", "active", "past_due", "unpaid", "paused")
COUNTED = ("invited", "active")
LATE = "a top-up does not come to its end"
"""Where a fault strikes a month after the first one, for nobody looked in between."""

ONCE_FOR_ALL = ("STRIPE_EVENT#", "CUSTOMER#")
"""Rows that are written once and never again; so is history."""


class Violation(AssertionError):
    """`oracle` names what did not hold."""

    def __init__(self, oracle: str, detail: str) -> None:
        super().__init__(f"{oracle}: {detail}")
        self.oracle = oracle


def hold(oracle: str, holds: bool, detail: object = "") -> None:
    if not holds:
        raise Violation(oracle, str(detail))


class Watcher:
    """Looks at every commit as it is made, and lets `others` look, too."""

    def __init__(self, cloud: Cloud, *others: Callable[[list[Written]], None]) -> None:
        self._cloud = cloud
        self._others = others
        self._seen = 0

    def __call__(self) -> None:
        log = self._cloud.store.log
        if len(log) == self._seen:
            return
        commits: dict[int, list[Written]] = {}
        for row in log[self._seen :]:
            commits.setdefault(row.commit, []).append(row)
        self._seen = len(log)
        for commit in commits.values():
            self._look_at(commit)

    def _look_at(self, commit: list[Written]) -> None:
        for row in commit:
            written_once(row)
        told(commit)
        main = [row for row in commit if row.table == MAIN]
        for row in main:
            if row.sk == "SLOTS":
                self._slots(row)
            if row.sk.startswith("MEMBER#"):
                self._sign_in(row)
            if row.after.get("event", {}).get("S") == "member.invited":
                self._invitation(row)
        moved = entries.written(commit)
        wallets = [row for row in main if row.sk.startswith("WALLET#")]
        if moved or wallets:
            self._credits(moved, wallets)
        for look in self._others:
            look(commit)

    def _slots(self, row: Written) -> None:
        """What SLOTS counts are the invitations and members there are, and no invitation takes a
        slot that is not paid for."""
        partition = self._cloud.store.partition(row.pk)
        members = [each for name, each in partition.items() if name.startswith("MEMBER#")]
        counted = sum(
            each["role"]["S"] == "member" and each["status"]["S"] in COUNTED for each in members
        )
        occupied = int(row.after["occupied"]["N"])
        hold("SLOTS counts who holds one", counted == occupied, f"{counted} hold, {occupied}")
        before = int(row.before["occupied"]["N"]) if row.before else 0
        bought = partition.get("SUBSCRIPTION#slots")
        paid = int(bought["quantity"]["N"]) if bought and bought["status"]["S"] in LIVE else 0
        if occupied > before:
            hold("occupied ≤ purchased", occupied <= paid, f"{occupied} of {paid}")

    def _invitation(self, row: Written) -> None:
        """Each is a mail: nobody gets more than five a day, however often they are removed."""
        day, told = row.sk[:10], decoded(row.after)["facts"]["member"]
        events = self._cloud.store.partition(row.pk).items()
        sent = sum(
            decoded(each)["facts"].get("member") == told
            for sk, each in events
            if sk.startswith(day) and each["event"]["S"] == "member.invited"
        )
        hold("nobody is flooded by invitations", sent <= SENDS_A_DAY, f"{sent} to {told}")

    def _sign_in(self, row: Written) -> None:
        """A sign-in is one person for ever, and what is found by it agrees with their row."""
        subject = row.after.get("subject", {}).get("S")
        if subject is None:
            return
        members = self._cloud.store.partition(row.pk).items()
        theirs = [
            sk
            for sk, each in members
            if sk.startswith("MEMBER#") and each.get("subject", {}).get("S") == subject
        ]
        hold("a sign-in is one person", theirs == [row.sk], f"{subject}: {theirs}")
        before = (row.before or {}).get("subject", {}).get("S")
        hold("a person keeps their sign-in", before in (None, subject), f"{before}, {subject}")
        found = self._cloud.store.row(f"{row.pk}#SIGN_INS", subject)
        agrees = found is not None and all(
            found[name] == row.after[name] for name in ("role", "status", "email")
        )
        hold("what a sign-in leads to is the person's row", agrees, f"{subject}: {found}")

    def _credits(self, written: list[Any], wallets: list[Written]) -> None:
        """Every number of a wallet is the sum of its entries, and nothing appears or is gone."""
        moved = {person for each in written for person in (each["source"], each["target"])}
        there = {decoded(row.after)["person"] for row in wallets}
        hold("a wallet is the sum of its entries", moved - {None} <= there, f"{moved}, {there}")
        history = self._entries(wallets[0].pk.removeprefix("ACCOUNT#"))
        for row in wallets:
            wallet = decoded(row.after)
            numbers = {name: wallet[name] for name in NUMBERS}
            hold("a wallet is the sum of its entries", numbers == _sum(history, wallet["person"]))
            owed = wallet["balance"] < 0 and not wallet["clawed_back"]
            hold("nothing is negative but recorded debt", not owed and wallet["held"] >= 0, wallet)
            if wallet["person"] in moved:
                # A wallet where many are at once is added to unread; then an entry tells none.
                after = _balance_told(written[-1], wallet["person"])
                right = after in (None, wallet["balance"])
                hold("an entry tells the balance after it", right, after)
        partition = self._cloud.store.partition(wallets[0].pk)
        for each in written:
            self._reached(each, partition)
        everybodys = [decoded(row) for sk, row in partition.items() if sk.startswith("WALLET#")]
        total = Counter[str]()
        for wallet in everybodys:
            total.update({name: wallet[name] for name in NUMBERS})
        kept = total["balance"] + total["held"] + total["spent"] + total["clawed_back"]
        hold("granted = available + held + spent + clawed back", total["granted"] == kept, total)

    def _reached(self, entry: Any, partition: dict[str, Row]) -> None:
        """Credits are sent to whoever is a member at that instant."""
        if entry["kind"] == "transfer":
            status = partition[f"MEMBER#{entry['target']}"]["status"]["S"]
            hold("credits go to active members", status == "active", status)

    def _entries(self, account: str) -> list[Any]:
        known = entries.in_store(self._cloud.store)
        return [each for each in known if each["account"] == account]


def _sum(entries: list[Any], person: str) -> dict[str, int]:
    numbers = dict.fromkeys(NUMBERS, 0)
    for each in entries:
        if person not in (each["source"], each["target"]):
            continue
        count = each["credits"]
        for name, change in _EFFECTS[each["kind"], person == each["target"], each["undoes"]]:
            numbers[name] += change * count
    return numbers


NUMBERS = ("balance", "held", "granted", "received", "sent", "spent", "clawed_back")
_EFFECTS: dict[tuple[str, bool, str | None], list[tuple[str, int]]] = {
    ("grant", True, None): [("balance", 1), ("granted", 1)],
    ("transfer", False, None): [("balance", -1), ("sent", 1)],
    ("transfer", True, None): [("balance", 1), ("received", 1)],
    ("hold", False, None): [("balance", -1), ("held", 1)],
    ("spend", False, None): [("held", -1), ("spent", 1)],
    ("clawback", False, None): [("balance", -1), ("clawed_back", 1)],
    ("return", True, "hold"): [("balance", 1), ("held", -1)],
    ("return", True, "clawback"): [("balance", 1), ("clawed_back", -1)],
}


def _balance_told(entry: Any, person: str) -> Any:
    return entry["target_after"] if person == entry["target"] else entry["source_after"]


def written_once(row: Written) -> None:
    """Entries, marks and history are never written again; a command's mark may get its answer."""
    if row.before is None:
        return
    final = (
        row.table == entries.LEDGER
        or row.pk.startswith(ONCE_FOR_ALL)
        or row.pk.endswith("#HISTORY")
    )
    hold("written once", not final, f"{row.pk} {row.sk}")
    if row.pk.endswith("#COMMANDS"):
        hold("a refusal is final", "refusal" not in row.before, f"{row.pk} {row.sk}")
        given = ("answer", "refusal")
        answer = {name: row.after[name] for name in given if name in row.after}
        same = {**row.before, **answer} == row.after
        had_none = "NULL" in row.before["answer"] or row.before["answer"] == row.after["answer"]
        hold("a command's answer never changes", same and had_none, f"{row.pk} {row.sk}")


def told(commit: list[Written]) -> None:
    """What becomes of a member or a subscription is told once, with it."""
    history = [decoded(row.after) for row in commit if row.pk.endswith("#HISTORY")]
    for row in commit:
        if row.sk.startswith("MEMBER#") and row.after["role"]["S"] == "member":
            about = [
                each for each in history if each["facts"].get("member") == row.after["id"]["S"]
            ]
            hold("what becomes of a member is told once", len(about) == 1, f"{row.sk}: {about}")
        if row.sk.startswith("SUBSCRIPTION#") and _differs(row, "status", "quantity", "ends_at"):
            name = row.after["id"]["S"]
            about = [each for each in history if each["facts"].get("subscription") == name]
            hold("what becomes of a subscription is told", bool(about), row.sk)


def _differs(row: Written, *names: str) -> bool:
    return row.before is None or any(row.before[name] != row.after[name] for name in names)


@dataclass(frozen=True)
class AtStripe:
    """What Stripe has of one account, read past all rules."""

    subscriptions: list[Body]
    customers: list[Body]
    invoices: list[Body]

    @classmethod
    def of(cls, cloud: Cloud, account: str) -> Self:
        customers = [each for each in cloud.box.all("customer") if of(account, each)]
        theirs = {each["id"] for each in customers}
        return cls(
            [each for each in cloud.box.all("subscription") if of(account, each)],
            customers,
            [each for each in cloud.box.all("invoice") if each["customer"] in theirs],
        )


def at_rest(
    cloud: Cloud, people: People, beginning: Beginning, acting: Collection[str] = ()
) -> None:
    """Nothing is under way any more, and no more faults come. `acting` are all accounts of which
    somebody does something in this history."""
    hold("nothing is left in a dead-letter queue", not cloud.dead_letters)
    account = people.account
    there = (
        AtStripe.of(cloud, account) if cloud.box.changed else _unchanged(cloud, account, beginning)
    )
    one_live_base(account, there.subscriptions)
    needless = [alert for alert in cloud.alerts if alert != LATE]
    hold("nobody is called for nothing", not needless, needless)
    partition = cloud.store.partition(f"ACCOUNT#{account}")
    rows = {sk: decoded(row) for sk, row in partition.items()}
    rows_say_what_stripe_says(account, rows, there.subscriptions)
    invoices_are_stripes(cloud, account, there.invoices)
    customers_are_theirs(cloud, account, rows, there.customers)
    if cloud.box.changed:
        access_is_what_stripe_says(cloud, people, there.subscriptions)
        packages_are_what_was_paid(cloud, account)
    nothing_is_anybody_elses(cloud, {account, *acting}, beginning)
    acknowledged(cloud, people, there.subscriptions)
    _movements(cloud, people, beginning)
    _settings(cloud, people, beginning)


def packages_are_what_was_paid(cloud: Cloud, account: str) -> None:
    """Credits for every payment, once, and taken back as far as the money was."""
    there = entries.in_store(cloud.store)
    charges = {each["payment_intent"]: each for each in cloud.box.all("charge") if each["paid"]}
    disputes = cloud.box.all("dispute")
    sold = [each for each in cloud.box.all("checkout.session") if of(account, each)]
    known = {each["id"] for each in sold}
    for entry in there:
        mine = entry["account"] == account and entry["reference"].startswith("cs_")
        hold("credits are granted for one's own payment", not mine or entry["reference"] in known)
    for session in sold:
        about = [each for each in there if each["reference"] == session["id"]]
        count = Counter[str]()
        for each in about:
            count[each["kind"] + (each["undoes"] or "")] += each["credits"]
        paid = session["payment_status"] == "paid" and session["metadata"]["kind"] == "package"
        grants = [each for each in about if each["kind"] == "grant"]
        hold("one grant per payment", len(grants) == paid, f"{session['id']}: {about}")
        hold("paid for N, exactly N credits", count["grant"] == (500 if paid else 0), about)
        if paid:
            _taken_back(session, charges[session["payment_intent"]], disputes, count)


def _taken_back(session: Body, charge: Body, disputes: list[Body], count: Counter[str]) -> None:
    mine = [each for each in disputes if each["charge"] == charge["id"]]
    lost = sum(each["amount"] for each in mine if each["status"] == "lost")
    gone = min(charge["amount_refunded"] + lost, charge["amount"])
    taken = count["clawback"] - count["returnclawback"]
    wanted = 500 * gone // charge["amount"]
    hold("what was paid back is clawed back once", taken == wanted, f"{taken}, {wanted}")
    held = count["hold"] - count["returnhold"]
    contested = any(each["status"] == "needs_response" for each in mine)
    hold("only what is in dispute is set aside", contested or held == 0, f"{session['id']}: {held}")


_BEGINNINGS: dict[tuple[str, str], AtStripe] = {}


def _unchanged(cloud: Cloud, account: str, beginning: Beginning) -> AtStripe:
    if (account, beginning.name) not in _BEGINNINGS:
        _BEGINNINGS[account, beginning.name] = AtStripe.of(cloud, account)
    return _BEGINNINGS[account, beginning.name]


def nothing_is_anybody_elses(cloud: Cloud, acting: set[str], beginning: Beginning) -> None:
    """What some accounts do leaves the others' rows alone; time and Stripe do not."""
    for pk in cloud.store.touched_since(beginning.store):
        if not pk.startswith("ACCOUNT#") or pk.split("#")[1] in acting:
            continue
        for sk, row in beginning.store.partition(pk).items():
            if not sk.startswith("SUBSCRIPTION#"):
                hold("others' rows are left alone", cloud.store.row(pk, sk) is row, f"{pk} {sk}")


def one_live_base(account: str, at_stripe: list[Body]) -> None:
    for kind in ("subscription", "slots", "add_on"):
        live = [
            each["id"]
            for each in at_stripe
            if each["status"] in LIVE and each["metadata"]["kind"] == kind
        ]
        hold(f"one live {kind} per account", len(live) <= 1, f"{account}: {live}")


def rows_say_what_stripe_says(account: str, rows: dict[str, Any], at_stripe: list[Body]) -> None:
    known = {each["id"]: each for each in at_stripe}
    recorded = {row["id"] for sk, row in rows.items() if sk.startswith("SUBSCRIPTION#")}
    for each in at_stripe:
        if each["status"] in LIVE:
            hold("what lives at Stripe is on record", each["id"] in recorded, each["id"])
    for sk, row in rows.items():
        if not sk.startswith("SUBSCRIPTION#"):
            continue
        hold("subscriptions are the account's own", row["id"] in known, f"{account} {row['id']}")
        there = known[row["id"]]
        item = there["items"]["data"][0]
        found = (row["status"], row["quantity"], row["period_end"], row["price"]["amount"])
        wanted = (
            there["status"],
            item["quantity"],
            _time(item["current_period_end"]),
            item["price"]["unit_amount"],
        )
        hold("rows say what Stripe says", found == wanted, f"{account} {sk}: {found}, {wanted}")
        ends = there["ended_at"] or there["cancel_at"]
        if ends is None and there["cancel_at_period_end"]:
            ends = item["current_period_end"]
        hold("ends are Stripe's", row["ends_at"] == (ends and _time(ends)), f"{row['ends_at']}")


def access_is_what_stripe_says(cloud: Cloud, people: People, at_stripe: list[Body]) -> None:
    bases = [each for each in at_stripe if each["metadata"]["kind"] == "subscription"]
    granted = any(_grants(each, cloud.clock()) for each in bases)
    seen: list[Any] = []
    cloud.play([lambda: seen.append(cloud.call("GET /billing", people.manager()))])
    hold("the page answers", seen[0].status == 200, seen[0])
    state = seen[0].body["access"]["state"]
    hold("access is what Stripe says", (state in ("active", "grace")) == granted, state)


def _grants(base: Body, now: float) -> bool:
    item = base["items"]["data"][0]
    if base["ended_at"] is not None or (base["cancel_at"] or now + 1) <= now:
        return False
    if base["status"] == "active":
        return True
    return bool(base["status"] == "past_due" and now < item["current_period_start"] + 14 * 86_400)


def invoices_are_stripes(cloud: Cloud, account: str, there: list[Body]) -> None:
    partition = cloud.store.partition(f"ACCOUNT#{account}#INVOICES")
    ours = {row["stripe_id"]["S"]: row["status"]["S"] for row in partition.values()}
    theirs = {each["id"]: each["status"] for each in there if each["status"] != "draft"}
    hold("invoices are Stripe's", ours == theirs, f"{account}: {ours}, {theirs}")
    periods = Counter(_period(each) for each in there if _cycled(each))
    twice = [period for period, count in periods.items() if count > 1]
    hold("one invoice per period", not twice, twice)


def _cycled(invoice: Body) -> bool:
    reason = invoice["billing_reason"] in ("subscription_cycle", "subscription_create")
    return bool(reason and invoice["status"] == "paid")


def _period(invoice: Body) -> tuple[Any, ...]:
    line = invoice["lines"]["data"][0]
    return (
        invoice["parent"]["subscription_details"]["subscription"],
        line["period"]["start"],
        line["period"]["end"],
    )


def customers_are_theirs(
    cloud: Cloud, account: str, rows: dict[str, Any], there: list[Body]
) -> None:
    mine = [each["id"] for each in there]
    hold("one customer per account", len(mine) <= 1, f"{account}: {mine}")
    if "ACCOUNT" in rows and rows["ACCOUNT"]["customer"] is not None:
        customer = rows["ACCOUNT"]["customer"]
        hold("the customer is the account's", customer in mine, customer)
        link = cloud.store.row(f"CUSTOMER#{customer}", "CUSTOMER")
        hold("the customer is linked back", link is not None and link["account"]["S"] == account)
        _receipts_follow(rows["ACCOUNT"], next(each for each in there if each["id"] == customer))


def _receipts_follow(row: Any, customer: Body) -> None:
    """The sweep changes the address at Stripe, if it has come by yet."""
    known = row["customer_email"]
    hold("where receipts go is on record", known == customer["email"], f"{known}, {customer}")
    hold("receipts follow the manager", known == row["email"] or "due_at" in row, row)


def acknowledged(cloud: Cloud, people: People, there: list[Body]) -> None:
    """What somebody was told was done is done; and told again the same under the same key."""
    for done in people.done:
        status = done.answer.status
        hold("everybody gets an answer in the end", status not in (0, 500, 503), done.command)
    for done in people.done:
        # Each costs as much as a command; every third history is enough.
        asked = done.repeatable and cloud.choices.random.random() < 0.3
        if asked and done.answer.status in (200, 201):
            again = _again(cloud, done)
            same = (again.status, again.body) == (done.answer.status, done.answer.body)
            hold("the same key gets the same answer", same, f"{done.command}: {again}")
        if asked and done.answer.status in _REFUSED:
            again = _again(cloud, done)
            hold("a refusal is final", again.status in _REFUSED, f"{done.command}: {again}")
    _memberships(cloud, people)
    _slot_orders(cloud, people, there)
    _endings(people, there)


_REFUSED = (404, 409, 422)


def _again(cloud: Cloud, done: Done) -> Any:
    found: list[Any] = []
    cloud.play([lambda: found.append(done.repeat())])
    return found[0]


def _memberships(cloud: Cloud, people: People) -> None:
    told = Counter(done.command for done in people.done if done.answer.status in (200, 201, 204))
    if told["accept otherwise"] or told["take off"] or told["sign in"]:
        # Who is who by then, the rows are held to.
        return
    for name in ("mia", "ben"):
        row = cloud.store.row(f"ACCOUNT#{people.account}", f"MEMBER#{people.id_of(name)}")
        status = row["status"]["S"] if row else "nobody"
        if any(done.command == f"remove {name}" for done in people.done):
            # Also one that was refused: without a key an earlier try may still be at work.
            continue
        if told[f"accept {name}"]:
            hold("who accepted is a member", status == "active", f"{name} is {status}")
        elif told[f"invite {name}"]:
            fine = ("invited", "expired")
            hold("who was invited is invited", status in fine, f"{name} is {status}")


def _movements(cloud: Cloud, people: People, beginning: Beginning) -> None:
    """In the ledger is what was acknowledged, once, and nothing that was refused."""
    acknowledged = sorted(name for done in people.done for name in _entries_of(done))
    new = [
        decoded(row)
        for pk in cloud.store.touched_since(beginning.store, entries.LEDGER)
        for sk, row in cloud.store.partition(pk, entries.LEDGER).items()
        if sk not in beginning.store.partition(pk, entries.LEDGER) and entries.is_entry(row)
    ]
    asked_for = [
        each
        for each in new
        if each["kind"] != "grant" and each["by"] != STRIPE and each["account"] == people.account
    ]
    there = sorted(each["id"] for each in asked_for)
    hold(
        "what was acknowledged is in the ledger once", acknowledged == there, (acknowledged, there)
    )


def _entries_of(done: Done) -> list[str]:
    what, *counts = done.command.split()
    if done.answer.status != 201 or what not in ("send", "hold", "settle"):
        return []
    name = done.answer.body["id"]
    if what != "settle":
        return [name]
    parts = zip(("spend", "return"), map(int, counts), strict=True)
    return [f"{name.rsplit('-', 1)[0]}-{part}" for part, count in parts if count]


def _settings(cloud: Cloud, people: People, beginning: Beginning) -> None:
    """A wallet has what one of those set who were told so; what they were not told of may have
    happened all the same."""
    pk = f"ACCOUNT#{people.account}"
    for command, told, person in (
        ("limit mia", "limit", people.id_of("mia")),
        ("alert", "below", people.manager()["sub"]),
    ):
        asked = [done.answer for done in people.done if done.command == command]
        row, old = (store.row(pk, f"WALLET#{person}") for store in (cloud.store, beginning.store))
        if row is None or any(answer.status != 200 for answer in asked):
            continue
        name = "alert_below" if command == "alert" else "limit"
        wanted = [answer.body[told] for answer in asked] or [decoded(old)[name] if old else None]
        found = decoded(row)[name]
        fine = found in wanted or (not found and None in wanted)
        hold("settings are as was said", fine, f"{name}: {found}, {wanted}")


def _slot_orders(cloud: Cloud, people: People, there: list[Body]) -> None:
    """None is left half done; and where one person gave one order, Stripe bills what it says."""
    slots = cloud.store.row(f"ACCOUNT#{people.account}", "SLOTS")
    order = decoded(slots).get("change") if slots else None
    hold("no order of slots is left half done", order is None or order["unpaid"], order)
    given = [done for done in people.done if done.command.startswith("slots")]
    if len(given) != 1 or len(people.done) != 1 or given[0].answer.status != 200:
        return
    wanted = int(given[0].command.removeprefix("slots "))
    bought = [each for each in there if each["metadata"]["kind"] == "slots"]
    quantity = bought[-1]["items"]["data"][0]["quantity"]
    hold("slots at Stripe are those ordered", quantity == max(wanted, 2), f"{quantity}, {wanted}")


def _endings(people: People, there: list[Body]) -> None:
    """Cancelled and not kept: whatever lives has an end."""
    told = [done.command for done in people.done if done.answer.status in (200, 201)]
    if "cancel" in told and not {"resume", "check out"} & set(told):
        for each in there:
            if each["status"] in LIVE:
                ends = each["cancel_at_period_end"] or each["cancel_at"]
                hold("what was cancelled ends", bool(ends), each["id"])


def _time(seconds: int) -> str:
    return rfc3339(from_epoch(seconds))
