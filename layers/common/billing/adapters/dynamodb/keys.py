"""Every key of the table, once.

An account's own partition holds what the Billing tab shows, so that one query reads it; what grows
with time has partitions of its own.
"""

import hashlib
import zlib
from datetime import datetime
from typing import TypedDict

from billing.domain.catalog import Kind
from billing.domain.times import rfc3339


class Key(TypedDict):
    pk: str
    sk: str


def account_partition(account: str) -> str:
    return f"ACCOUNT#{account}"


def account_in(key: Key) -> str:
    """Whose partition `key` lies in."""
    return key["pk"].removeprefix("ACCOUNT#")


def account_key(account: str) -> Key:
    return {"pk": account_partition(account), "sk": "ACCOUNT"}


def member_key(account: str, member: str) -> Key:
    return {"pk": account_partition(account), "sk": f"MEMBER#{member}"}


def sign_in_key(account: str, subject: str) -> Key:
    """Leads from the subject of a token to the person."""
    return {"pk": f"ACCOUNT#{account}#SIGN_INS", "sk": subject}


def wallet_key(account: str, person: str) -> Key:
    return {"pk": account_partition(account), "sk": f"WALLET#{person}"}


def top_up_key(account: str, person: str) -> Key:
    return {"pk": account_partition(account), "sk": f"TOP_UP#{person}"}


def slots_key(account: str) -> Key:
    return {"pk": account_partition(account), "sk": "SLOTS"}


def subscription_key(account: str, kind: Kind) -> Key:
    return {"pk": account_partition(account), "sk": f"SUBSCRIPTION#{kind}"}


def checkout_key(account: str) -> Key:
    return {"pk": account_partition(account), "sk": "CHECKOUT"}


def command_key(account: str, command: str) -> Key:
    return {"pk": f"ACCOUNT#{account}#COMMANDS", "sk": command}


def invoice_partition(account: str) -> str:
    return f"ACCOUNT#{account}#INVOICES"


def invoice_key(account: str, invoice: str) -> Key:
    return {"pk": invoice_partition(account), "sk": invoice}


def hold_key(account: str, hold: str) -> Key:
    return {"pk": f"ACCOUNT#{account}#HOLDS", "sk": hold}


def purchase_key(account: str, purchase: str) -> Key:
    return {"pk": f"ACCOUNT#{account}#PURCHASES", "sk": purchase}


def usage_partition(account: str) -> str:
    return f"ACCOUNT#{account}#USAGE"


def usage_key(account: str, person: str | None, month: str) -> Key:
    """Of the whole account where no person is named."""
    return {"pk": usage_partition(account), "sk": f"{person or ''}#{month}"}


def support_request_partition(account: str) -> str:
    return f"ACCOUNT#{account}#SUPPORT"


def support_request_key(account: str, request: str) -> Key:
    return {"pk": support_request_partition(account), "sk": request}


def history_partition(account: str) -> str:
    return f"ACCOUNT#{account}#HISTORY"


def history_key(account: str, event: str) -> Key:
    return {"pk": history_partition(account), "sk": event}


def mail_key(account: str, event: str, recipient: str) -> Key:
    return {"pk": f"ACCOUNT#{account}#MAILS", "sk": f"{event}#{recipient}"}


def invitations_key(account: str, counted: str) -> Key:
    """How many were sent, to one address or by the whole account."""
    return {"pk": f"ACCOUNT#{account}#INVITATIONS", "sk": counted}


def pages_key(account: str) -> Key:
    return {"pk": f"ACCOUNT#{account}#PAGES", "sk": "PAGES"}


def customer_key(customer: str) -> Key:
    return {"pk": f"CUSTOMER#{customer}", "sk": "CUSTOMER"}


def stripe_event_key(event: str) -> Key:
    return {"pk": f"STRIPE_EVENT#{event}", "sk": "STRIPE_EVENT"}


DUE_INDEX = "due"
DUE_SHARDS = tuple(f"DUE#{number}" for number in range(8))


def due_shard(account: str) -> str:
    """The index's partition in which this account's rows wait for their moment."""
    return DUE_SHARDS[zlib.crc32(account.encode()) % len(DUE_SHARDS)]


def in_due_index(account: str, moment: datetime | None) -> dict[str, str]:
    """The attributes by which a row stands in the index; without them it does not."""
    if moment is None:
        return {}
    return {"due_shard": due_shard(account), "due_at": rfc3339(moment)}


def ledger_partition(shard: int) -> str:
    return f"LEDGERS#{shard:02d}"


def ledger_key(account: str) -> Key:
    """Names every account that may have credits, so that all of them can be gone through."""
    shard = int(hashlib.sha256(account.encode()).hexdigest(), 16) % LEDGER_SHARDS
    return {"pk": ledger_partition(shard), "sk": account}


LEDGER_SHARDS = 16
LEDGER_CHECK: Key = {"pk": "LEDGER_CHECK", "sk": "LEDGER_CHECK"}
RECONCILIATION: Key = {"pk": "RECONCILIATION", "sk": "STRIPE_EVENTS"}
CORRECTIONS: Key = {"pk": "CORRECTIONS", "sk": "CANCELLATIONS"}
HEALTH: Key = {"pk": "HEALTH", "sk": "HEALTH"}
