"""What is done in a history: a request as the page sends it, or an act at Stripe."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

from billing import runtime as rt
from billing.adapters.dynamodb import accounts, keys, ledger
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain import credits
from billing.domain.credits import Cause, Credits
from billing.domain.members import member_id
from infra.local.stripe_sandbox import orders
from infra.local.stripe_sandbox.errors import StripeError
from tests.functions.product import BANK_DEBIT, FAILS_AT_RENEWAL, VISA
from tests.simulation import engine
from tests.simulation.box import Box
from tests.simulation.cloud import Answer, Cloud
from tests.simulation.stripe_port import perform_call

ACME, BETA = "acme", "beta"
ACCOUNTS = (ACME, BETA)


@dataclass
class Done:
    """A command and what its client was told in the end."""

    command: str
    account: str
    answer: Answer
    repeat: Callable[[], Answer]
    repeatable: bool
    began: int
    ended: int


@dataclass(frozen=True)
class Acknowledged:
    """A cancellation that was answered, and the invoices that were paid by then."""

    answer: Answer
    began: int
    paid: frozenset[str]


@dataclass
class People:
    """Those who act on an account. `pages` are the Checkouts that were handed out to them.

    `by` is the manager who acts; `domain` is of everybody's address. `hears` is told of each
    answer, and how many rows had been written when it was asked for.
    """

    cloud: Cloud
    account: str
    by: str = "ana"
    domain: str = ""
    done: list[Done] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    hears: "Callable[[People, Done, int], None]" = lambda *_: None
    counted: Counter[str] = field(default_factory=Counter)

    def beside(self, manager: str) -> Self:
        """The same people, where another manager acts."""
        return replace(self, by=manager)

    def manager(self) -> dict[str, Any]:
        if self.by != "ana":
            return self.member(self.by) | {"role": "manager"}
        return self._person("ana", f"ana-{self.account}", "manager")

    def member(self, name: str) -> dict[str, Any]:
        return self._person(name, f"user-{name}-{self.account}", "member")

    def _person(self, name: str, subject: str, role: str) -> dict[str, Any]:
        return {
            "sub": subject,
            "email": self.email(name),
            "email_verified": "true",
            "name": name.title(),
            "account_id": self.account,
            "role": role,
        }

    def email(self, name: str) -> str:
        return f"{name}@{self.domain or self.account}.test"

    def id_of(self, name: str) -> str:
        return member_id(self.account, self.email(name))

    def paid_packages(self) -> list[str]:
        """The payments of packages, the oldest first."""
        return [
            session["payment_intent"]
            for session in self.cloud.box.all("checkout.session")
            if of(self.account, session)
            and session["metadata"]["kind"] == "package"
            and session["payment_status"] == "paid"
        ]

    def key(self) -> str:
        self.counted["keys"] += 1
        return f"{self.account}-key-{self.counted['keys']}"

    def ask(
        self, command: str, route: str, body: Any = None, *, keyed: bool, **more: Any
    ) -> Answer:
        claims = more.pop("claims", None) or self.manager()
        key = self.key() if keyed else ""

        def send() -> Answer:
            return self.cloud.call(route, claims, body, key=key, **more)

        began, since = self._next_moment(), len(self.cloud.store.log)
        answer = send()
        ended = self._next_moment()
        self.done.append(Done(command, self.account, answer, send, keyed, began, ended))
        self.hears(self, self.done[-1], since)
        return answer

    def _next_moment(self) -> int:
        """Counts what begins and ends, so that it can be said what came first."""
        self.counted["moments"] += 1
        return self.counted["moments"]


Command = Callable[[People], Any]


def check_out(plan: str, cycle: str) -> Command:
    def command(people: People) -> None:
        body = {"plan": plan, "cycle": cycle}
        answer = people.ask("check out", "POST /subscription/checkout", body, keyed=True)
        if answer.status == 201:
            people.pages.append(answer.body["url"].rsplit("/", 1)[1].split("#")[0])

    return command


def pay_page(card: str, *, every: bool = False) -> Command:
    """The last page that was handed out is paid, or every one, as far as Stripe takes it."""

    def command(people: People) -> None:
        for session in people.pages if every else people.pages[-1:]:
            people.cloud.outside(f"{session[-4:]} is paid", _paid(people.cloud, session, card))

    return command


def _paid(cloud: Cloud, session: str, card: str) -> Callable[[], None]:
    return lambda: _if_stripe_takes_it(
        lambda: orders.pay_checkout(cloud.box, session, {"card": card})
    )


def invite(name: str) -> Command:
    def command(people: People) -> None:
        email = people.email(name)
        people.ask(f"invite {name}", "POST /members", {"email": email}, keyed=False)

    return command


def accept(name: str) -> Command:
    def command(people: People) -> None:
        claims = people.member(name)
        people.ask(f"accept {name}", "POST /invitations/accept", keyed=False, claims=claims)

    return command


def sign_in(name: str, role: str, *, email: str = "", subject: str = "") -> Command:
    """The identity provider says that they are somebody else than before, and they look in."""

    def command(people: People) -> None:
        claims = people.manager() if name == "ana" else people.member(name)
        claims |= {"role": role, **_changed(people, email, subject)}
        people.ask("sign in", "GET /credits", keyed=False, claims=claims)

    return command


def _changed(people: People, email: str, subject: str) -> dict[str, str]:
    claims = {}
    if email:
        claims["email"] = people.email(email)
    if subject:
        claims["sub"] = f"user-{subject}-{people.account}"
    return claims


def accept_as(name: str, *, email: str = "", subject: str = "") -> Command:
    """With another address than before, or by another sign-in."""

    def command(people: People) -> None:
        claims = people.member(name) | _changed(people, email, subject)
        people.ask("accept otherwise", "POST /invitations/accept", keyed=False, claims=claims)

    return command


def take_off(name: str) -> Command:
    """A second manager takes somebody off, by their sign-in."""

    def command(people: People) -> None:
        claims = people.member("bea") | {"role": "manager"}
        person = people.manager()["sub"] if name == "ana" else f"user-{name}-{people.account}"
        path = {"id": person}
        people.ask("take off", "DELETE /members/{id}", keyed=False, path=path, claims=claims)

    return command


def remove(name: str) -> Command:
    def command(people: People) -> None:
        path = {"id": people.id_of(name)}
        people.ask(f"remove {name}", "DELETE /members/{id}", keyed=False, path=path)

    return command


def send(count: int, name: str) -> Command:
    def command(people: People) -> None:
        body = {"to": people.id_of(name), "credits": count}
        people.ask(f"send {name}", "POST /credits/transfers", body, keyed=True)

    return command


def limit(name: str, most: int | None) -> Command:
    """How much this member may use in a month."""

    def command(people: People) -> None:
        path = {"id": people.id_of(name)}
        body = {"limit": most}
        people.ask(f"limit {name}", "PUT /members/{id}/limit", body, keyed=False, path=path)

    return command


def alert(below: int | None) -> Command:
    def command(people: People) -> None:
        people.ask("alert", "PUT /settings/alerts", {"below": below}, keyed=False)

    return command


def hold(count: int, name: str) -> Command:
    """Of the member's own credits, for use."""

    def command(people: People) -> None:
        body = {"person": people.id_of(name), "credits": count}
        claims = people.member(name)
        people.ask(f"hold {name}", engine.HOLD, body, keyed=True, claims=claims)

    return command


def settle_hold(spent: int, returned: int, *, newest: bool = False) -> Command:
    """So much of the first hold, or of the newest, is spent, and so much returned."""

    def command(people: People) -> None:
        holds = list(people.cloud.store.partition(f"ACCOUNT#{people.account}#HOLDS"))
        if not holds:
            return
        path = {"id": holds[-1 if newest else 0]}
        body = {"spent": spent, "returned": returned}
        people.ask(f"settle {spent} {returned}", engine.SETTLE, body, keyed=True, path=path)

    return command


def grant(count: int) -> Command:
    """Given to the manager by nobody, to begin with."""

    def command(people: People) -> None:
        person = people.manager()["sub"]
        rows = accounts.load(people.account)
        cause = Cause(id=f"given-{people.key()}", account=people.account, by="", now=rt.now())
        movement = credits.grant(rows.wallets[person], Credits(count), cause)
        write = Transaction()
        version = rows.version_of(keys.wallet_key(people.account, person))
        ledger.append(write, movement, {person: version})
        write.commit()

    return command


TOP_UP_BELOW = 8
CAPS = {"top up": 5_000, "top up twice": 10_000}
"""The most per month that each of these commands chooses; a package costs 5,000."""


def top_up(command: str) -> Command:
    def choose(people: People) -> None:
        cap = {"amount": CAPS[command], "currency": "usd"}
        body = {"below": TOP_UP_BELOW, "package": "credits_500", "monthly_cap": cap}
        people.ask(command, "PUT /settings/top-up", body, keyed=False)

    return choose


def no_top_up(people: People) -> None:
    people.ask("no top up", "PUT /settings/top-up", {"below": None}, keyed=False)


def bus(people: People) -> None:
    """It tells of the manager's wallet, whether or not it has fallen, and perhaps twice."""
    people.cloud.bus(people.account, people.manager()["sub"])


def buy(package: str) -> Command:
    def command(people: People) -> None:
        answer = people.ask("buy", "POST /credits/checkout", {"package": package}, keyed=True)
        if answer.status == 201:
            people.pages.append(answer.body["url"].rsplit("/", 1)[1].split("#")[0])

    return command


def refund(order: dict[str, Any]) -> Command:
    """Of the newest package that was paid, in Stripe's dashboard."""

    def command(people: People) -> None:
        for intent in people.paid_packages()[-1:]:
            people.cloud.outside("refunded", _refunded(people.cloud.box, intent, order))

    return command


def dispute(order: dict[str, Any]) -> Command:
    """The newest package's payer goes to their bank, or the bank has decided."""

    def command(people: People) -> None:
        for intent in people.paid_packages()[-1:]:
            people.cloud.outside("disputed", _disputed(people.cloud.box, intent, order))

    return command


def _refunded(box: Box, intent: str, order: dict[str, Any]) -> Callable[[], None]:
    return lambda: _if_stripe_takes_it(lambda: orders.refund_payment(box, intent, order))


def _disputed(box: Box, intent: str, order: dict[str, Any]) -> Callable[[], None]:
    return lambda: _if_stripe_takes_it(lambda: orders.dispute_payment(box, intent, order))


def change_cycle(cycle: str) -> Command:
    def command(people: People) -> None:
        people.ask(f"cycle {cycle}", "PUT /subscription/cycle", {"cycle": cycle}, keyed=True)

    return command


def change_slots(count: int, *, quoted: bool = False) -> Command:
    """With a quote, after a look at the price."""

    def command(people: People) -> None:
        body: dict[str, Any] = {"purchased": count}
        if quoted:
            seen = people.cloud.call("POST /slots/preview", people.manager(), body)
            if seen.status != 200:
                return
            body["quote"] = seen.body["quote"]
        people.ask(f"slots {count}", "PUT /slots", body, keyed=True)

    return command


def cancel(*, keep_slots: bool = False) -> Command:
    def command(people: People) -> None:
        body = {"keep_slots": keep_slots}
        answer = people.ask("cancel", "POST /subscription/cancel", body, keyed=False)
        if answer.status == 200:
            invoices = subscription_invoices(people.cloud, people.account)
            paid = frozenset(each["id"] for each in invoices if each["status"] == "paid")
            people.acknowledged.append(Acknowledged(answer, people.done[-1].began, paid))

    return command


DECIDES_WHAT_IS_BILLED = ("cancel", "resume", "check", "slots", "card", "pay", "cycle")
"""First words of the commands after which something else may be billed."""


def subscription_invoices(cloud: Cloud, account: str) -> list[Any]:
    """Everything that Stripe asked for subscriptions, the oldest first."""
    theirs = {each["id"] for each in cloud.box.all("subscription") if of(account, each)}
    return [
        each
        for each in cloud.box.all("invoice")
        if each["parent"] and each["parent"]["subscription_details"]["subscription"] in theirs
    ]


def resume(people: People) -> None:
    people.ask("resume", "POST /subscription/resume", {}, keyed=False)


def new_card(people: People) -> None:
    answer = people.ask("card", "POST /subscription/card", keyed=True)
    if answer.status == 201:
        people.pages.append(answer.body["url"].rsplit("/", 1)[1].split("#")[0])


def look(people: People) -> None:
    people.cloud.call("GET /billing", people.manager())


def pay_invoice(people: People) -> None:
    """The newest of the list that is open."""
    listed = people.cloud.call("GET /invoices", people.manager(), query={"status": "open"})
    for invoice in listed.body.get("items", [])[:1]:
        path = {"id": invoice["id"]}
        people.ask("pay invoice", "POST /invoices/{id}/pay", keyed=True, path=path)


def end_at_stripe(people: People) -> None:
    """Somebody ends the base in Stripe's dashboard."""
    box = people.cloud.box
    for subscription in box.all("subscription"):
        if of(people.account, subscription) and subscription["status"] != "canceled":
            ended = box.calling("DELETE", f"/v1/subscriptions/{subscription['id']}")
            people.cloud.outside("ended at Stripe", ended)
            return


_ANNUAL_SLOT = {
    "product": "slot",
    "currency": "usd",
    "unit_amount": 47_040,
    "recurring": {"interval": "year"},
    "metadata": {"kind": "slots"},
}


def buy_slots(count: int, *, annual: bool = False) -> Command:
    """At Stripe, as the product does it, or by the year as Support agrees on it."""

    def command(people: People) -> None:
        box = people.cloud.box
        price = people.cloud.prices["slot_monthly_usd"]
        if annual:
            price = perform_call(box, "POST", "/v1/prices", _ANNUAL_SLOT, None)[1]["id"]
        (base,) = (each for each in box.all("subscription") if of(people.account, each))
        wanted = {
            "customer": base["customer"],
            "default_payment_method": base["default_payment_method"],
            "items": [{"price": price, "quantity": count}],
            "metadata": {"account_id": people.account, "kind": "slots"},
        }
        people.cloud.outside("slots are bought", box.calling("POST", "/v1/subscriptions", wanted))

    return command


def of(account: str, stripe_object: Any) -> bool:
    return bool(stripe_object["metadata"].get("account_id") == account)


def settle(succeed: bool) -> Command:
    """What waits for the bank is answered."""

    def command(people: People) -> None:
        box = people.cloud.box
        for intent in box.all("payment_intent"):
            if intent["status"] == "processing":
                people.cloud.outside("the bank answers", _settled(box, intent["id"], succeed))

    return command


def _settled(box: Box, intent: str, succeed: bool) -> Callable[[], None]:
    return lambda: _if_stripe_takes_it(
        lambda: orders.settle_payment(box, intent, {"succeed": succeed})
    )


def wait(seconds: int) -> Command:
    def command(people: People) -> None:
        people.cloud.pass_time(seconds)

    return command


def wait_for_renewal(people: People) -> None:
    """To the second at which something renews next: its invoice is a draft then."""
    ends = [
        item["current_period_end"]
        for each in people.cloud.box.all("subscription")
        if of(people.account, each) and each["status"] == "active"
        for item in each["items"]["data"]
    ]
    if ends:
        people.cloud.pass_time(max(0.0, min(ends) - people.cloud.clock()))


def tell_twice(people: People) -> None:
    """From now on Stripe tells each happening as two events."""
    people.cloud.box.twins = True


def wait_for_news(people: People) -> None:
    """Until what has happened so far is known."""
    people.cloud.scheduler.wait_until(lambda: people.cloud.calm)


def reconcile(people: People) -> None:
    people.cloud.reconcile()


def renewals(people: People) -> None:
    people.cloud.renewals()


def _if_stripe_takes_it(do: Callable[[], Any]) -> None:
    try:
        do()
    except StripeError:
        return


HOUR, DAY = 3_600, 86_400

COMMANDS: dict[str, Command] = {
    "check out monthly": check_out("starter", "monthly"),
    "check out annual": check_out("starter", "annual"),
    "pay": pay_page(VISA),
    "pay every page": pay_page(VISA, every=True),
    "pay by a card that fails later": pay_page(FAILS_AT_RENEWAL),
    "pay by debit": pay_page(BANK_DEBIT),
    "debit comes": settle(True),
    "debit fails": settle(False),
    "invite mia": invite("mia"),
    "invite ben": invite("ben"),
    "invite cleo": invite("cleo"),
    "accept mia": accept("mia"),
    "accept ben": accept("ben"),
    "mia as manager": sign_in("mia", "manager"),
    "mia as member": sign_in("mia", "member"),
    "mia moves": sign_in("mia", "member", email="mia2"),
    "mia moves and manages": sign_in("mia", "manager", email="mia2"),
    "ben as manager": sign_in("ben", "manager"),
    "ana as member": sign_in("ana", "member"),
    "ana as manager": sign_in("ana", "manager"),
    "bea as manager": sign_in("bea", "manager"),
    "bea as member": sign_in("bea", "member"),
    "invite mia2": invite("mia2"),
    "invite bea": invite("bea"),
    "accept mia2": accept_as("mia", email="mia2"),
    "somebody else accepts mia": accept_as("mia", subject="other"),
    "bea takes ana off": take_off("ana"),
    "remove mia": remove("mia"),
    "remove ben": remove("ben"),
    "send 3 mia": send(3, "mia"),
    "send 7 mia": send(7, "mia"),
    "send 6 ben": send(6, "ben"),
    "send 20 mia": send(20, "mia"),
    "limit mia 10": limit("mia", 10),
    "limit mia 15": limit("mia", 15),
    "no limit mia": limit("mia", None),
    "alert below 5": alert(5),
    "alert below 8": alert(8),
    "alert below 300": alert(300),
    "no alert": alert(None),
    "hold 3 mia": hold(3, "mia"),
    "hold 6 mia": hold(6, "mia"),
    "hold 7 mia": hold(7, "mia"),
    "spend 4": settle_hold(4, 0),
    "return 3": settle_hold(0, 3),
    "spend 1, return 3": settle_hold(1, 3),
    "return 3 of the newest": settle_hold(0, 3, newest=True),
    "send 500 ben": send(500, "ben"),
    "top up": top_up("top up"),
    "top up twice": top_up("top up twice"),
    "no top up": no_top_up,
    "bus": bus,
    "buy 500": buy("credits_500"),
    "refund some": refund({"amount": 1_000}),
    "refund all": refund({}),
    "refund that fails": refund({"fail": True}),
    "dispute": dispute({}),
    "dispute won": dispute({"outcome": "won"}),
    "dispute lost": dispute({"outcome": "lost"}),
    "slots 0": change_slots(0),
    "slots 1": change_slots(1),
    "slots 2": change_slots(2),
    "slots 3": change_slots(3),
    "slots 4": change_slots(4),
    "slots 3, quoted": change_slots(3, quoted=True),
    "cycle quarterly": change_cycle("quarterly"),
    "cycle annual": change_cycle("annual"),
    "cycle monthly": change_cycle("monthly"),
    "cancel": cancel(),
    "cancel, keeping slots": cancel(keep_slots=True),
    "resume": resume,
    "card": new_card,
    "look": look,
    "pay invoice": pay_invoice,
    "end at Stripe": end_at_stripe,
    "Stripe tells it twice": tell_twice,
    "the news": wait_for_news,
    "reconcile": reconcile,
    "renewals": renewals,
    "a minute": wait(60),
    "an hour": wait(HOUR),
    "15 days": wait(15 * DAY),
    "32 days": wait(32 * DAY),
    "31 days": wait(31 * DAY),
    "to the next month": wait_for_renewal,
}
