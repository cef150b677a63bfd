"""Invoice rows: a partition per account, sorted by time through their ids."""

from datetime import datetime

from billing.adapters.dynamodb import keys, reading
from billing.adapters.dynamodb.items import Item
from billing.adapters.dynamodb.transaction import Transaction
from billing.domain.invoices import Invoice, InvoiceLine, InvoiceStatus
from billing.domain.money import Money
from billing.domain.times import parse_rfc3339, rfc3339

_FIRST = "0"
_BEYOND = ":"
"""Sorts after every digit."""


def load(account: str, invoice: str) -> tuple[Invoice | None, int]:
    """The row and its version; None and 0 if the account has no such invoice."""
    item = reading.get(keys.invoice_key(account, invoice))
    return (None, 0) if item is None else (_invoice(item), item["version"])


def put(write: Transaction, account: str, invoice: Invoice, *, version: int) -> None:
    row = {
        **keys.invoice_key(account, invoice.id),
        "stripe_id": invoice.stripe_id,
        "number": invoice.number,
        "at": rfc3339(invoice.at),
        "kind": invoice.kind,
        "status": invoice.status,
        "total": invoice.total.view(),
        "amount_due": invoice.amount_due.view(),
        "lines": [
            {"description": line.description, "quantity": line.quantity, "total": line.total.view()}
            for line in invoice.lines
        ],
        "hosted_url": invoice.hosted_url,
    }
    write.replace(row, version=version)


def page(
    account: str,
    *,
    limit: int,
    before: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    where: dict[str, str],
) -> tuple[list[Invoice], bool]:
    """Up to `limit` invoices, newest first, older than the id `before`, made from `since` to just
    before `until`; and whether there are more."""
    low = _FIRST if since is None else _prefix(since)
    high = _BEYOND if until is None else _prefix(until)
    if before is not None:
        high = min(high, before)
    if low >= high:
        return [], False
    items, more = reading.query_page(
        keys.invoice_partition(account), low=low, high=high, limit=limit, where=where
    )
    return [_invoice(item) for item in items], more


def _prefix(moment: datetime) -> str:
    """As ids begin: ten digits, which last until the year 2286."""
    return f"{min(max(int(moment.timestamp()), 0), 9_999_999_999):010d}"


def _invoice(item: Item) -> Invoice:
    return Invoice(
        stripe_id=item["stripe_id"],
        number=item["number"],
        at=parse_rfc3339(item["at"]),
        kind=item["kind"],
        status=InvoiceStatus(item["status"]),
        total=Money.read(item["total"]),
        amount_due=Money.read(item["amount_due"]),
        lines=tuple(
            InvoiceLine(line["description"], line["quantity"], Money.read(line["total"]))
            for line in item["lines"]
        ),
        hosted_url=item["hosted_url"],
    )
