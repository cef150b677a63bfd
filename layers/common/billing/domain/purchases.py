"""A package that was bought, and what becomes of its credits when the money is taken back.

What Stripe says of the payment is compared with what has been done about it, and the difference is
done: so it does not matter which event told of it, how often, or in which order.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain import credits
from billing.domain.credits import Cause, Credits, EntryKind, Movement, Wallet
from billing.domain.events import SCHEDULE, STRIPE

_Step = Callable[[Wallet, Credits, Cause], Movement]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A package's payment as Stripe has it now; `purchase` is the Checkout session, or the invoice
    of a top-up. `refunded` and `lost` (in disputes) are gone for good, `contested` is in dispute;
    all in minor units of `amount`."""

    purchase: str
    wallet: str
    credits: int
    paid: bool
    amount: int = 0
    refunded: int = 0
    lost: int = 0
    contested: int = 0
    top_up: bool = False

    @property
    def taken_back(self) -> int:
        """In minor units, for good or in dispute."""
        return self.refunded + self.lost + self.contested

    @property
    def credits_gone(self) -> int:
        return self._share(self.refunded + self.lost)

    @property
    def credits_contested(self) -> int:
        return self._share(self.taken_back) - self.credits_gone

    def _share(self, amount: int) -> int:
        """In the customer's favour where it does not come out even."""
        if self.amount == 0:
            return 0
        return self.credits * min(amount, self.amount) // self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What has been done about a payment: credits that were clawed back, and those set aside while
    `contested` were. `changes` counts, and names the entries. `taken_back` is the most money that
    was ever refunded or in dispute, in minor units."""

    id: str
    clawed_back: int = 0
    held: int = 0
    contested: int = 0
    changes: int = 0
    taken_back: int = 0

    def reversed_by(self, payment: Payment) -> bool:
        """Whether more of its money is taken back than ever before. A dispute that is lost takes
        what was contested already."""
        return payment.taken_back > self.taken_back


def granting(payment: Payment, wallet: Wallet, account: str, now: datetime) -> Movement:
    """The credits that were paid for; the purchase names the entry, so there is one for ever."""
    cause = Cause(
        id=grant_id(payment.purchase),
        account=account,
        by=SCHEDULE if payment.top_up else payment.wallet,
        now=now,
        reference=payment.purchase,
    )
    return credits.grant(wallet, Credits(payment.credits), cause)


def grant_id(purchase: str) -> str:
    return f"grant-{purchase}"


def settle(
    purchase: Purchase, payment: Payment, wallet: Wallet, left: int, account: str, now: datetime
) -> tuple[Purchase, Movement]:
    """What a refund or a dispute still asks for; no entries where nothing does. `left` is how much
    of this purchase is in `wallet`.

    A dispute sets aside what is left, and no more. Lost, or refunded, all is clawed back, also
    what has been used; won, exactly what was set aside is returned.
    """
    moved = Movement((), {wallet.person: wallet})
    changes = purchase.changes + 1

    def step(kind: EntryKind, count: int, how: _Step) -> None:
        nonlocal moved
        if count > 0:
            cause = Cause(
                id=f"{kind}-{payment.purchase}-{changes}",
                account=account,
                by=STRIPE,
                now=now,
                reference=payment.purchase,
            )
            moved = moved.then(how(moved.wallets[wallet.person], Credits(count), cause))

    gone, contested = payment.credits_gone, payment.credits_contested
    released = max(0, purchase.held - contested)
    step(EntryKind.RETURN, released, _release)
    step(EntryKind.CLAWBACK, gone - purchase.clawed_back, credits.claw_back)
    step(EntryKind.RETURN, purchase.clawed_back - gone, _restore)
    available = moved.wallets[wallet.person].available
    held = min(contested - purchase.contested, left, available)
    step(EntryKind.HOLD, held, credits.set_aside)
    settled = replace(
        purchase,
        clawed_back=gone,
        held=purchase.held - released + max(0, held),
        contested=contested,
        taken_back=max(purchase.taken_back, payment.taken_back),
    )
    return (purchase if settled == purchase else replace(settled, changes=changes)), moved


def _release(wallet: Wallet, count: Credits, cause: Cause) -> Movement:
    return credits.give_back(wallet, count, cause, undoes=EntryKind.HOLD)


def _restore(wallet: Wallet, count: Credits, cause: Cause) -> Movement:
    return credits.give_back(wallet, count, cause, undoes=EntryKind.CLAWBACK)
