"""Paying an open invoice from the list."""

from datetime import datetime

from billing.adapters.dynamodb import invoices, marks
from billing.adapters.dynamodb.marks import AlreadyDone, Command
from billing.adapters.dynamodb.transaction import StaleWrite, Transaction, unavailable
from billing.adapters.stripe import changes, gateway
from billing.domain.errors import Conflict
from billing.domain.invoices import Invoice, InvoiceStatus
from billing.usecases.snapshots import put_invoice

_TRIES = 5


def pay(account: str, by: str, command: Command, invoice: Invoice, now: datetime) -> str:
    """The invoice's status after the card on file was charged.

    A declined card leaves no mark: the same key may try again.

    Raises PaymentNeeded; Conflict `invoice_not_open`, `idempotency_key_reused`.
    """
    accepted = marks.find_command(account, command)
    if accepted is not None and accepted.answer is not None:
        return str(accepted.answer["status"])
    if invoice.status is not InvoiceStatus.OPEN:
        raise Conflict("invoice_not_open", f"This invoice is {invoice.status}.")
    changes.pay_invoice(invoice.stripe_id)
    for _ in range(_TRIES):
        before, version = invoices.load(account, invoice.id)
        fresh = gateway.invoice(invoice.stripe_id)
        assert fresh is not None
        write = Transaction()
        put_invoice(write, account, before, fresh, version=version, by=by, at=now)
        answer = {"status": str(fresh.status)}
        marks.accept_command(write, account, command, about=invoice.id, now=now, answer=answer)
        try:
            write.commit()
        except StaleWrite:
            continue
        except AlreadyDone:
            pass
        return answer["status"]
    raise unavailable()
