"""An account's partition: the account, its people and wallets, slots, subscriptions, Checkout.

Rows that time will act on carry the moment at which it next does, in `due_at`, and with it stand in
an index, spread over shards, in the order of those moments.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime

from billing import settings
from billing.adapters.dynamodb import keys, reading
from billing.adapters.dynamodb.items import Item, attributes
from billing.adapters.dynamodb.keys import Key
from billing.adapters.dynamodb.top_ups import top_up_of
from billing.adapters.dynamodb.transaction import Transaction
from billing.adapters.dynamodb.wallets import wallet_of
from billing.domain.account import Account, Checkout, CheckoutStatus, Member, MemberStatus, Role
from billing.domain.agenda import next_due
from billing.domain.catalog import Cycle, Kind
from billing.domain.credits import Wallet
from billing.domain.members import Team, counted
from billing.domain.money import Money
from billing.domain.slots import SlotChange, Slots
from billing.domain.subscription import (
    InvoicePreview,
    Pending,
    Status,
    Subscription,
    UnpaidInvoice,
)
from billing.domain.times import parse_rfc3339, rfc3339
from billing.domain.top_ups import TopUp

_GRACE = settings.grace()


@dataclass(frozen=True, slots=True)
class AccountRows:
    """What one query of an account's partition found. `version_of` tells what to write against.

    `handled` names what time has done to each subscription, `due` when it is next looked at.
    """

    id: str
    account: Account | None = None
    checkout: Checkout | None = None
    subscriptions: dict[Kind, Subscription] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    wallets: dict[str, Wallet] = field(default_factory=dict)
    top_ups: dict[str, TopUp] = field(default_factory=dict)
    slots: Slots = field(default_factory=Slots)
    versions: dict[str, int] = field(default_factory=dict)
    handled: dict[Kind, tuple[str, ...]] = field(default_factory=dict)
    due: dict[Kind, datetime] = field(default_factory=dict)

    @property
    def base(self) -> Subscription | None:
        return self.subscriptions.get(Kind.SUBSCRIPTION)

    @property
    def team(self) -> Team:
        """Counts every slot of a slots subscription that lives as paid."""
        bought = self.subscriptions.get(Kind.SLOTS)
        if bought is None or not bought.live:
            return Team(self.id, self.members, self.slots)
        return Team(self.id, self.members, self.slots, bought.quantity, bought.ends_at)

    def version_of(self, key: Key) -> int:
        """0 for a row that was not there."""
        return self.versions.get(key["sk"], 0)

    @property
    def wallet_versions(self) -> dict[str, int]:
        """By person."""
        return {each: self.version_of(keys.wallet_key(self.id, each)) for each in self.wallets}


def load(account: str, *, consistent: bool = True) -> AccountRows:
    """One query; half a read unit per 4 KB unless `consistent`."""
    items = reading.query_partition(keys.account_partition(account), consistent=consistent)
    by_kind: dict[str, list[Item]] = {}
    for item in items:
        by_kind.setdefault(item["sk"].split("#")[0], []).append(item)
    bought = by_kind.get("SUBSCRIPTION", [])
    subscriptions = [_subscription(item) for item in bought]
    members = [_member(item) for item in by_kind.get("MEMBER", [])]
    wallets = map(wallet_of, by_kind.get("WALLET", []))
    top_ups = map(top_up_of, by_kind.get("TOP_UP", []))
    return AccountRows(
        id=account,
        account=next(map(_account, by_kind.get("ACCOUNT", [])), None),
        checkout=next(map(_checkout, by_kind.get("CHECKOUT", [])), None),
        subscriptions={subscription.kind: subscription for subscription in subscriptions},
        members={member.id: member for member in members},
        wallets={wallet.person: wallet for wallet in wallets},
        top_ups={top_up.person: top_up for top_up in top_ups},
        slots=next(map(_slots, by_kind.get("SLOTS", [])), Slots()),
        versions={item["sk"]: item["version"] for item in items},
        handled={Kind(item["kind"]): tuple(item["handled"]) for item in bought},
        due={
            Kind(item["kind"]): parse_rfc3339(item["due_at"]) for item in bought if "due_at" in item
        },
    )


def load_slots(account: str) -> tuple[Slots, int]:
    """The row that every change of a membership writes, and its version (0: not there yet).

    A query is no snapshot: read this before the members, and a change that the query saw only in
    part makes the version stale.
    """
    item = reading.get(keys.slots_key(account))
    return (Slots(), 0) if item is None else (_slots(item), item["version"])


def put_account(write: Transaction, account: Account, *, version: int) -> None:
    row = {
        **keys.account_key(account.id),
        "id": account.id,
        "email": account.email,
        "created_at": rfc3339(account.created_at),
        "customer": account.customer,
        "customer_generation": account.customer_generation,
        "customer_requested_at": _optional(account.customer_requested_at),
        "customer_email": account.customer_email,
        # Any moment that is past: Stripe's address is to be changed now.
        **keys.in_due_index(account.id, account.created_at if account.email_is_behind else None),
    }
    write.replace(row, version=version)


def put_member(write: Transaction, account: str, member: Member, *, version: int) -> None:
    row = {
        **keys.member_key(account, member.id),
        **attributes(member),
        "invited_at": _optional(member.invited_at),
        "expires_at": _optional(member.expires_at),
        **keys.in_due_index(account, member.expires_at if counted(member) else None),
    }
    write.replace(row, version=version)


def put_slots(write: Transaction, account: str, slots: Slots, *, version: int) -> None:
    change = slots.change
    row = {
        **keys.slots_key(account),
        "occupied": slots.occupied,
        "pending_purchased": slots.pending_purchased,
        "change": None if change is None else _change_row(change),
        "paid_changes": [rfc3339(each) for each in slots.paid_changes],
        **keys.in_due_index(account, None if change is None else change.given_up_at),
    }
    write.replace(row, version=version)


def put_checkout(write: Transaction, account: str, checkout: Checkout, *, version: int) -> None:
    row = {
        **keys.checkout_key(account),
        **asdict(checkout),
        "reserved_at": rfc3339(checkout.reserved_at),
        "expires_at": rfc3339(checkout.expires_at),
    }
    write.replace(row, version=version)


def put_subscription(
    write: Transaction,
    account: str,
    subscription: Subscription,
    *,
    version: int,
    handled: tuple[str, ...] = (),
) -> None:
    """`handled` is ours, beside Stripe's snapshot: give what was on record for the same one."""
    row = {
        **keys.subscription_key(account, subscription.kind),
        **asdict(subscription),
        "price": subscription.price.view(),
        "created": rfc3339(subscription.created),
        "period_start": rfc3339(subscription.period_start),
        "period_end": rfc3339(subscription.period_end),
        "ends_at": _optional(subscription.ends_at),
        "anchor": rfc3339(subscription.anchor),
        "preview": _preview_row(subscription.preview),
        "handled": handled,
        **keys.in_due_index(account, next_due(subscription, handled, _GRACE)),
    }
    write.replace(row, version=version)


def pages_due(shard: str, now: datetime) -> Iterator[dict[str, list[Key]]]:
    """By account, the keys of a shard's rows whose moment has come, a page at a time."""
    for page in reading.pages_due(shard, rfc3339(now)):
        by_account: dict[str, list[Key]] = {}
        for row in page:
            key: Key = {"pk": row["pk"], "sk": row["sk"]}
            by_account.setdefault(keys.account_in(key), []).append(key)
        yield by_account


def put_off(due: list[Key], until: datetime) -> None:
    """Nobody looks at these rows before `until`, so that they keep nobody else waiting."""
    for key in due:
        write = Transaction()
        gone = LookupError(f"{key} is gone")
        write.set(key, {"due_at": rfc3339(until)}, where={}, otherwise=gone)
        write.commit()


def list_ledger(write: Transaction, account: str) -> None:
    """From here on the account is among those whose credits are checked."""
    write.ensure(dict(keys.ledger_key(account)))


def link_customer(write: Transaction, account: str, customer: str) -> None:
    """From here on events of `customer` are the account's. Fails as StaleWrite if another's."""
    write.put_for({**keys.customer_key(customer), "account": account}, "account")


@dataclass(frozen=True, slots=True)
class SignIn:
    """Whose sign-in a subject is, found by key; it commits with the member's row.

    A sign-in is one person's for ever, so two rows that would both be theirs meet here.
    """

    person: str
    role: Role
    status: MemberStatus
    email: str


def put_sign_in(write: Transaction, account: str, member: Member) -> None:
    assert member.subject is not None
    row = {
        **keys.sign_in_key(account, member.subject),
        "person": member.id,
        "role": member.role,
        "status": member.status,
        "email": member.email,
    }
    write.put_for(row, "person")


def sign_in(account: str, subject: str) -> SignIn | None:
    """None for nobody's, or one that an earlier version wrote no row for."""
    row = reading.get(keys.sign_in_key(account, subject))
    if row is None:
        return None
    return SignIn(row["person"], Role(row["role"]), MemberStatus(row["status"]), row["email"])


def load_paid(account: str) -> AccountRows:
    """SLOTS and the subscriptions, by one query of rows that lie side by side; nobody else's."""
    items = reading.query_rows(
        keys.account_partition(account), low=keys.slots_key(account)["sk"], high="SUBSCRIPTION~"
    )
    bought = [_subscription(item) for item in items if item["sk"].startswith("SUBSCRIPTION#")]
    return AccountRows(
        id=account,
        subscriptions={each.kind: each for each in bought},
        slots=next((_slots(item) for item in items if item["sk"] == "SLOTS"), Slots()),
    )


def account_of(customer: str) -> str | None:
    """Whose customer at Stripe this is; None if none of ours."""
    row = reading.get(keys.customer_key(customer))
    return None if row is None else str(row["account"])


def _optional(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_rfc3339(text)


def _account(item: Item) -> Account:
    return Account(
        id=item["id"],
        email=item["email"],
        created_at=parse_rfc3339(item["created_at"]),
        customer=item["customer"],
        customer_generation=item["customer_generation"],
        customer_requested_at=_moment(item["customer_requested_at"]),
        # An earlier version never changed the address at Stripe.
        customer_email=str(item.get("customer_email", item["email"])),
    )


def _member(item: Item) -> Member:
    return Member(
        id=item["id"],
        email=item["email"],
        name=item["name"],
        role=Role(item["role"]),
        status=MemberStatus(item["status"]),
        subject=item.get("subject"),
        linked=item.get("linked", False),
        invited_at=_moment(item.get("invited_at")),
        expires_at=_moment(item.get("expires_at")),
    )


def _slots(item: Item) -> Slots:
    change = item.get("change")
    return Slots(
        occupied=item["occupied"],
        pending_purchased=item["pending_purchased"],
        change=None if change is None else _change(change),
        paid_changes=tuple(map(parse_rfc3339, item.get("paid_changes", []))),
    )


def _change_row(change: SlotChange) -> Item:
    return {
        **asdict(change),
        "reserved_at": rfc3339(change.reserved_at),
        "charged_from": rfc3339(change.charged_from),
        "due": None if change.due is None else change.due.view(),
    }


def _change(item: Item) -> SlotChange:
    return SlotChange(
        id=item["id"],
        by=item["by"],
        present=item["present"],
        wanted=item["wanted"],
        reserved_at=parse_rfc3339(item["reserved_at"]),
        charged_from=parse_rfc3339(item["charged_from"]),
        due=None if item["due"] is None else Money.read(item["due"]),
        attempt=item["attempt"],
        unpaid=item["unpaid"],
    )


def _checkout(item: Item) -> Checkout:
    return Checkout(
        id=item["id"],
        price=item["price"],
        return_to=item["return_to"],
        status=CheckoutStatus(item["status"]),
        reserved_at=parse_rfc3339(item["reserved_at"]),
        expires_at=parse_rfc3339(item["expires_at"]),
        session=item["session"],
        url=item["url"],
        paid=item["paid"],
        replaces=tuple(item["replaces"]),
        attempt=item["attempt"],
    )


def _subscription(item: Item) -> Subscription:
    unpaid = item.get("unpaid_invoice")
    return Subscription(
        id=item["id"],
        kind=Kind(item["kind"]),
        status=Status(item["status"]),
        plan=item["plan"],
        plan_name=item["plan_name"],
        cycle=Cycle(item["cycle"]),
        price=Money.read(item["price"]),
        quantity=item["quantity"],
        created=parse_rfc3339(item["created"]),
        period_start=parse_rfc3339(item["period_start"]),
        period_end=parse_rfc3339(item["period_end"]),
        ends_at=_moment(item["ends_at"]),
        card=item["card"],
        pending=None if item["pending"] is None else _pending(item["pending"]),
        ends_with_base=item["ends_with_base"],
        # Rows that an earlier version wrote know nothing of what follows.
        ends_with_period=item.get("ends_with_period", item["ends_at"] == item["period_end"]),
        kept_slots=item.get("kept_slots", 0),
        anchor=parse_rfc3339(item.get("anchor") or item["period_start"]),
        unpaid_invoice=UnpaidInvoice(**unpaid) if unpaid else None,
        preview=_preview(item.get("preview")),
    )


def _preview_row(preview: InvoicePreview | None) -> Item | None:
    if preview is None:
        return None
    return {**asdict(preview), "made_at": rfc3339(preview.made_at)}


def _preview(item: Item | None) -> InvoicePreview | None:
    if item is None:
        return None
    return InvoicePreview(**{**item, "made_at": parse_rfc3339(item["made_at"])})


def _pending(item: Item) -> Pending:
    money = Money.read(item["price"])
    return Pending(Cycle(item["cycle"]), item["quantity"], money, item["plan"])
