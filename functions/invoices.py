"""The invoice history, and each invoice as a PDF."""

import re

from billing import runtime
from billing.adapters import documents
from billing.adapters.dynamodb import invoices
from billing.adapters.dynamodb.marks import Command
from billing.adapters.stripe import gateway
from billing.domain.catalog import Kind
from billing.domain.errors import NotFound
from billing.domain.invoices import Invoice, InvoiceStatus
from billing.domain.times import from_epoch, rfc3339
from billing.http import Api, Request, Who
from billing.usecases.payment import pay
from billing.views import InvoicesView, InvoiceView, LinkView, PaymentView

api = Api()

_ID = re.compile(r"[0-9]{10}-[A-Za-z0-9_]{1,100}")
_KINDS = (*Kind, "other")
_STATUSES = tuple(status for status in InvoiceStatus if status is not InvoiceStatus.DRAFT)


@api.route(
    "GET /invoices",
    Who.MANAGER,
    gives=InvoicesView,
    choices={"kind": _KINDS, "status": _STATUSES},
    query={
        "kind": "invoices of one kind",
        "status": "invoices of one status",
        "from": "RFC 3339 time of the earliest",
        "to": "RFC 3339 time that all are before",
        "limit": "1 to 100, 20 unless told",
        "cursor": "next_cursor of the page before",
    },
)
def list_invoices(request: Request) -> InvoicesView:
    """Everything charged to the card, newest first"""
    where = {
        "kind": request.one_of("kind", _KINDS),
        "status": request.one_of("status", _STATUSES),
    }
    since, until = request.period()
    found, more = invoices.page(
        request.caller().account,
        limit=request.limit(),
        before=request.cursor(_ID),
        since=since,
        until=until,
        where={name: value for name, value in where.items() if value is not None},
    )
    return {
        "items": [_view(invoice) for invoice in found],
        "next_cursor": found[-1].id if more else None,
    }


@api.route("GET /invoices/{id}/pdf", Who.MANAGER, gives=LinkView)
def download_invoice(request: Request) -> LinkView:
    """A link to the invoice's PDF that ends after some minutes"""
    account = request.caller().account
    invoice = _find(account, request.path("id"))
    # A paid invoice's PDF says so: each status has a document of its own.
    key = f"invoices/{account}/{invoice.stripe_id}-{invoice.status}.pdf"
    if not documents.exists(key):
        documents.put_pdf(key, gateway.invoice_pdf(invoice.stripe_id))
    ends = from_epoch(int(runtime.wall_time())) + documents.LINK_LIFE
    return {"url": documents.link(key, f"{invoice.number}.pdf"), "expires_at": rfc3339(ends)}


@api.route("POST /invoices/{id}/pay", Who.MANAGER, gives=PaymentView, idempotent=True)
def pay_invoice(request: Request) -> PaymentView:
    """Charges the card on file; 402 with a page where the customer must act"""
    caller, invoice_id = request.caller(), request.path("id")
    invoice = _find(caller.account, invoice_id)
    command = Command(request.command_id(), request.fingerprint(invoice_id))
    return {"status": pay(caller.account, caller.subject, command, invoice, runtime.now())}


def _find(account: str, invoice_id: str) -> Invoice:
    invoice, _ = invoices.load(account, invoice_id) if _ID.fullmatch(invoice_id) else (None, 0)
    if invoice is None:
        raise NotFound("invoice_not_found", "This account has no such invoice.")
    return invoice


def _view(invoice: Invoice) -> InvoiceView:
    return {
        "id": invoice.id,
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
    }
