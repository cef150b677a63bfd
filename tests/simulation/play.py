"""Histories: where they begin, what is done in them, and what must hold at their end."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any
from unittest.mock import patch

from billing.domain.catalog import load_catalog
from billing.usecases import credits
from infra.stripe_setup import apply_catalog
from tests.functions.product import VISA
from tests.simulation.answers import true_when_said
from tests.simulation.cancelled import only_what_was_named_is_billed
from tests.simulation.choices import Aim, Scripted, Seeded
from tests.simulation.cloud import Beginning, Cloud, plugged_in
from tests.simulation.commands import (
    ACCOUNTS,
    ACME,
    BETA,
    CAPS,
    COMMANDS,
    DAY,
    HOUR,
    Command,
    People,
    buy_slots,
    check_out,
    grant,
    look,
    pay_page,
)
from tests.simulation.logs import entries_come_after_what_they_follow, logs_follow
from tests.simulation.meter import Meter
from tests.simulation.oracles import Watcher, at_rest, hold
from tests.simulation.scheduler import Choices
from tests.simulation.stripe_port import BROKEN, UNREACHABLE
from tests.simulation.topped_up import Reversals, top_ups_are_what_was_chosen


@dataclass(frozen=True)
class Plan:
    """What several people do at once, each one thing after the other.

    `managers` say who acts in each script, Ana unless told. In `others` people of a second account
    act, whose addresses are of `others_domain`.
    """

    beginning: str
    scripts: tuple[tuple[str, ...], ...]
    managers: tuple[str, ...] = ()
    others: tuple[tuple[str, ...], ...] = ()
    others_domain: str = BETA


_JOIN = ("invite", "accept")
_CREDITS = (
    *("send 3 mia", "send 7 mia", "send 6 ben", "send 3 mia", "send 6 ben"),
    *("remove mia", "invite mia", "accept mia", "alert below 5", "no alert"),
)
_TEAM = (
    *("invite mia", "invite ben", "invite cleo", "accept mia", "accept ben"),
    *("remove mia", "invite mia"),
)
_PEOPLE = (
    *("mia as manager", "mia as member", "mia moves", "mia moves and manages", "ben as manager"),
    *("ana as member", "ana as manager", "bea as manager", "bea as member", "bea takes ana off"),
    *("invite mia", "accept mia", "invite mia2", "accept mia2", "somebody else accepts mia"),
    *("remove mia", "send 3 mia", "invite bea", "invite ben", "top up"),
)
_PACKAGES = (
    *("refund some", "refund all", "refund that fails", "dispute", "dispute won", "dispute lost"),
    *("send 7 mia", "buy 500", "pay", "debit comes", "debit fails", "reconcile", "alert below 300"),
)
_HOLDS = (
    *("hold 3 mia", "hold 7 mia", "hold 7 mia", "spend 4", "return 3", "spend 1, return 3"),
    *("return 3 of the newest", "limit mia 10", "no limit mia", "a minute"),
    *("send 3 mia", "remove mia", "alert below 8"),
)
_CROWD = (
    *("hold 3 mia", "hold 3 mia", "hold 6 mia", "spend 4", "return 3", "spend 1, return 3"),
    *("limit mia 10", "no limit mia", "send 3 mia", "a minute"),
)
_SLOTS = (
    *("slots 3", "slots 4", "slots 1", "slots 2", "slots 0", "slots 3, quoted", "slots 3"),
    *("invite mia", "invite ben", "cancel", "look"),
)
_LIFE = (
    *("cycle annual", "cycle monthly", "cancel", "resume", "card", "pay", "end at Stripe"),
    *("an hour", "31 days", "reconcile", "look", "invite mia", "15 days", "renewals"),
)
_ENDING = (
    *("cancel", "cancel, keeping slots", "cancel, keeping slots", "resume", "slots 1", "slots 3"),
    *("31 days", "32 days", "to the next month", "an hour", "cycle monthly", "card", "pay"),
    *("renewals", "reconcile", "look", "the news", "invite mia"),
)
_OVERDUE = (
    *("pay invoice", "card", "pay", "cancel", "resume", "look", "15 days"),
    *("send 3 mia", "renewals", "cycle annual"),
)
_MONEY = (
    *("check out monthly", "check out monthly", "check out annual", "pay", "pay", "pay by debit"),
    *("debit comes", "debit fails", "an hour", "reconcile", "cancel"),
)
_TOP_UPS = (
    *("top up", "top up twice", "no top up", "bus", "renewals", "send 3 mia", "send 7 mia"),
    *("send 500 ben", "card", "pay", "pay by a card that fails later", "buy 500", "31 days"),
    *("refund all", "dispute"),
)
PROFILES = {
    "credits": ("full", _CREDITS),
    "holds": ("stocked", _HOLDS),
    "crowd": ("stocked", _CROWD),
    "team": ("team", _TEAM),
    "people": ("team", _PEOPLE),
    "people of a full team": ("full", _PEOPLE),
    "packages": ("full", _PACKAGES),
    "slots": ("team", _SLOTS),
    "life": ("full", _LIFE),
    "overdue": ("overdue", _OVERDUE),
    "ending, monthly": ("full", _ENDING),
    "ending, quarterly": ("quarterly", _ENDING),
    "ending, annual": ("annual", _ENDING),
    "ending, annual slots": ("annual slots", _ENDING),
    "money": ("new", _MONEY),
    "top ups": ("full", _TOP_UPS),
}
_OFTEN = {
    **{"credits": 80, "holds": 36, "crowd": 4, "team": 52},
    **{"people": 12, "people of a full team": 12},
    **{"packages": 36, "overdue": 28, "life": 24, "slots": 14, "money": 14, "top ups": 6},
    **{f"ending, {cycle}": 2 for cycle in ("monthly", "quarterly", "annual", "annual slots")},
}
"""In more than a third Stripe takes part, where a history costs four to twenty times as much."""
_LOTS = [profile for profile, tickets in _OFTEN.items() for _ in range(tickets)]


def plan(random: Random, profile: str = "") -> Plan:
    """By chance; of one profile if told."""
    beginning, commands = PROFILES[profile or random.choice(_LOTS)]
    if commands is _CROWD:
        return Plan(beginning, tuple((each,) for each in random.choices(commands, k=8)))
    scripts = [
        tuple(random.choices(commands, k=random.choice((1, 1, 2))))
        for _ in range(random.choice((1, 2, 2, 3)))
    ]
    if commands is _ENDING and not any(each[0].startswith("cancel") for each in scripts):
        scripts[0] += (random.choice(("cancel", "cancel, keeping slots")),)
    if commands is _PACKAGES:
        scripts[0] = ("buy 500", random.choice(("pay", "pay", "pay by debit")), *scripts[0])
    if commands is _TOP_UPS:
        card = ("card", "pay by a card that fails later") if random.random() < 0.2 else ()
        chosen = random.choice(("top up", "top up twice"))
        scripts[0] = (*card, chosen, "send 3 mia", *scripts[0])
        scripts[0] += ("bus", "send 500 ben")
        scripts.append(tuple(random.choices(("bus", "renewals"), k=2)))
    if beginning == "new":
        scripts[0] = ("check out monthly", "pay", *scripts[0])
    managers = tuple(_manager(random, commands) for _ in scripts)
    others = _others(random, beginning) if commands in _BESIDE_OTHERS else ()
    domain = random.choice(ACCOUNTS)
    return Plan(beginning, tuple(scripts), managers, others, domain)


_BY_TWO_MANAGERS = (_TEAM, _SLOTS, _LIFE, _MONEY, _ENDING)
_BESIDE_OTHERS = (_CREDITS, _HOLDS, _TEAM, _PACKAGES, _SLOTS, _LIFE, _MONEY)


def _manager(random: Random, commands: tuple[str, ...]) -> str:
    return "bea" if commands in _BY_TWO_MANAGERS and random.random() < 0.25 else "ana"


def _others(random: Random, beginning: str) -> tuple[tuple[str, ...], ...]:
    """In a quarter of the histories; the same as the first ones do, and at the same time."""
    if random.random() > 0.25:
        return ()
    if beginning == "new":
        return (("check out monthly", "pay", *random.choices(_MONEY)),)
    mine = random.choices((_TEAM, _CREDITS, _SLOTS, _LIFE), weights=(6, 6, 1, 1))[0]
    return tuple((each,) for each in random.choices(mine, k=2))


@dataclass(frozen=True)
class Scene:
    """One person's plan that leads to calls of some kinds; `before` are faults on the way."""

    plan: Plan
    before: tuple[Aim, ...] = ()
    cold: bool = False

    def choices(self, seed: int, aim: Aim) -> Seeded:
        return Seeded(seed, (*self.before, aim), cold=self.cold)


def _scene(
    beginning: str, *commands: str, before: tuple[Aim, ...] = (), cold: bool = False
) -> Scene:
    return Scene(Plan(beginning, (commands,)), before, cold)


SCENES = (
    _scene("new", "check out monthly", "check out annual", "pay"),
    _scene("new", "check out monthly", cold=True),
    _scene("new", "check out monthly", "pay", "check out annual"),
    _scene("new", "check out monthly", before=(Aim("stripe POST /v1/customers", BROKEN),)),
    _scene("full", "cycle annual", "reconcile"),
    _scene(
        "new",
        *("check out monthly", "pay"),
        before=(Aim("stripe GET /v1/checkout/sessions/{session}", UNREACHABLE),),
    ),
    _scene("team", "invite mia", "accept mia", "remove mia"),
    _scene("full", "send 3 mia", "look"),
    _scene("full", "cycle annual", "cycle monthly"),
    _scene("full", "cycle annual", "cycle quarterly"),
    _scene("full", "cycle annual", "cancel", "resume"),
    _scene("team", "slots 3, quoted", "slots 1", "slots 4"),
    _scene("team", "slots 1", "slots 3, quoted", "slots 0", "slots 1"),
    _scene("full", "card", "pay"),
    _scene("full", "31 days"),
    _scene("full", "buy 500", "pay", "refund some", "dispute", "dispute lost"),
    _scene("full", "buy 500", "pay", "refund that fails"),
    _scene("full", "top up", "send 3 mia", "bus"),
    _scene("overdue", "top up", "bus"),
    _scene("overdue", "card", "pay"),
    _scene("overdue", "pay invoice"),
    _scene("overdue", "cancel"),
    _scene("full", "to the next month", "cancel"),
    _scene("annual", "slots 1", "cancel, keeping slots", "resume"),
    _scene("full", "mia as manager", "bea as manager", "bea takes ana off", "ana as member"),
)
"""Together they make every kind of call there is."""


TOP_UPS = frozenset(CAPS)

_SWEEPS = 10
"""More than one after the other has anything to do."""

_LOGS_READ = 0.2
"""Reading a log costs as much as a command."""

_NOWHERE = Aim("", "")
_NOT_AGAIN = 1_000
"""The people of a history begin to count their keys below it."""
_MONTHS_END = 1_801_439_990.0
"""2027-01-31T23:59:50Z"""


class Theatre:
    """A cloud with the functions plugged in, and the beginnings of histories."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.beginnings: dict[str, Beginning] = {}
        self._build()

    def play(self, choices: Choices, plan: Plan, told: list[str] | None = None) -> None:
        cloud = self.cloud
        beginning = self.beginnings[plan.beginning]
        cloud.begin(choices, beginning, told)
        people = People(cloud, ACME, hears=true_when_said)
        others = People(cloud, BETA, domain=plan.others_domain, hears=true_when_said)
        cloud.watchers.append(
            Watcher(
                cloud,
                Meter(cloud).look_at,
                entries_come_after_what_they_follow,
                Reversals().look_at,
            )
        )
        managers = plan.managers or ("ana",) * len(plan.scripts)
        acts: list[Callable[[], Any]] = [
            partial(_perform, people.beside(manager), script)
            for manager, script in zip(managers, plan.scripts, strict=True)
        ]
        cloud.play([*acts, *(partial(_perform, others, script) for script in plan.others)])
        choices.quiet = True
        if cloud.lost or choices.random.random() < 0.05:
            cloud.play([cloud.reconcile])
        if TOP_UPS & {command for script in plan.scripts for command in script}:
            hold("what is due gets done", any(not cloud.sweep_again() for _ in range(_SWEEPS)))
            top_ups_are_what_was_chosen(cloud, people)
        teams = [people, others] if plan.others else [people]
        for each in teams:
            at_rest(cloud, each, beginning, [team.account for team in teams])
        if choices.random.random() < _LOGS_READ:
            logs_follow(cloud, people)
        for each in teams:
            only_what_was_named_is_billed(cloud, each)

    def _build(self) -> None:
        cloud = self.cloud
        cloud.begin(Scripted())
        cloud.play([lambda: apply_catalog(cloud.client, load_catalog().products)])
        cloud.play([lambda: self._warm()])
        self.beginnings["new"] = cloud.keep("new")
        for account in ACCOUNTS:
            self._subscribe(People(cloud, account))
        cloud.play([lambda: cloud.pass_time(2 * HOUR)])
        cloud.play([cloud.reconcile])
        self.beginnings["team"] = cloud.keep("team")
        self._fill()
        self._subscribe_otherwise()
        self._fall_behind()
        self._find_aims()

    def _subscribe(self, people: People) -> None:
        script = [COMMANDS[name] for name in ("look", "check out monthly", "pay")]
        for command in (*script, buy_slots(2), grant(10)):
            self.cloud.play([partial(command, people)])

    def _fill(self) -> None:
        """Both slots are taken."""
        cloud = self.cloud
        acme = People(cloud, ACME)
        members = tuple(f"{what} {who}" for who in ("mia", "ben") for what in _JOIN)
        cloud.play([partial(_perform, acme, members)])
        self.beginnings["full"] = cloud.keep("full")
        self._stock(acme)

    def _stock(self, acme: People) -> None:
        """Mia has credits, of which some are held, and the month is about to end."""
        cloud = self.cloud
        acme.counted["keys"] = _NOT_AGAIN
        cloud.play([lambda: cloud.pass_time(_MONTHS_END - cloud.clock())])
        cloud.play([partial(grant(20), acme)])
        cloud.play([partial(_perform, acme, ("send 20 mia", "hold 6 mia", "limit mia 15"))])
        self.beginnings["stocked"] = cloud.keep("stocked")

    def _subscribe_otherwise(self) -> None:
        """Other cycles of the base and of its slots, which began ten days after it."""
        self._subscribe_by("quarterly", "quarterly", buy_slots(3))
        self._subscribe_by("annual", "annual", buy_slots(3))
        self._subscribe_by("annual slots", "monthly", buy_slots(3, annual=True))

    def _subscribe_by(self, name: str, cycle: str, slots: Command) -> None:
        cloud = self.cloud
        cloud.begin(Scripted(), self.beginnings["new"])
        acme = People(cloud, ACME)
        for command in (look, check_out("starter", cycle), pay_page(VISA)):
            cloud.play([partial(command, acme)])
        cloud.play([lambda: cloud.pass_time(10 * DAY)])
        for command in (slots, grant(10)):
            cloud.play([partial(command, acme)])
        cloud.play([lambda: cloud.pass_time(2 * DAY)])
        self.beginnings[name] = cloud.keep(name)

    def _fall_behind(self) -> None:
        """The renewal could not be charged."""
        cloud = self.cloud
        cloud.begin(Scripted(), self.beginnings["new"])
        acme = People(cloud, ACME)
        script = ("look", "check out monthly", "pay by a card that fails later", "32 days")
        cloud.play([partial(_perform, acme, script)])
        self.beginnings["overdue"] = cloud.keep("overdue")

    def _find_aims(self) -> None:
        """Which fault at which kind of call each scene can have."""
        found: dict[tuple[str, str], int] = {}
        for number, scene in enumerate(SCENES):
            self.play(scene.choices(0, _NOWHERE), scene.plan)
            for pair in self.cloud.scheduler.reached:
                found.setdefault(pair, number)
        self.aims = sorted((number, *pair) for pair, number in found.items())

    def play_aimed(self, seed: int, number: int, told: list[str] | None = None) -> None:
        """The history of a scene with one of the faults that it can have, at one of its calls."""
        scene, kind, fault = self.aims[number % len(self.aims)]
        aim = Aim(kind, fault, after=number // len(self.aims))
        self.play(SCENES[scene].choices(seed, aim), SCENES[scene].plan, told)

    def _warm(self) -> None:
        for product in load_catalog().products:
            for price in product.prices:
                self.cloud.price_id(price.lookup_key)
        self.cloud.warm_prices = dict(self.cloud.prices)


def _perform(people: People, script: tuple[str, ...]) -> None:
    for name in script:
        COMMANDS[name](people)


def busy_wallets() -> AbstractContextManager[Any]:
    """No wallet stays as it was read: each is added to from the first try on."""
    return patch.object(credits, "_EXACT_TRIES", 0)


@contextmanager
def theatre() -> Iterator[Theatre]:
    cloud = Cloud()
    with plugged_in(cloud):
        yield Theatre(cloud)
