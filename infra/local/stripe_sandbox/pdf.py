"""An invoice as a PDF."""

import io
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table

from infra.local.stripe_sandbox.money import written
from infra.local.stripe_sandbox.pages import day
from infra.local.stripe_sandbox.state import Body

WIDTHS = (290, 50, 70, 85)
RULES: list[Any] = [
    ("LINEBELOW", (0, 0), (-1, 0), 0.5, "#888888"),
    ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
    ("LEFTPADDING", (0, 0), (0, -1), 0),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
]


def render(invoice: Body) -> bytes:
    styles = getSampleStyleSheet()
    normal = styles["Normal"]
    paid = invoice["status_transitions"]["paid_at"]
    facts = [
        f"Invoice number: {invoice['number'] or 'draft'}",
        f"Date of issue: {day(invoice['effective_at'] or invoice['created'])}",
        f"Paid: {day(paid)}" if paid else f"Status: {invoice['status']}",
        f"Bill to: {', '.join(_customer(invoice))}",
    ]
    story: list[Any] = [Paragraph(_safe(invoice["account_name"]), styles["Heading2"])]
    story.append(Paragraph("Invoice", styles["Title"]))
    story.extend(Paragraph(_safe(fact), normal) for fact in facts)
    story += [Spacer(1, 24), _lines(invoice, normal), Spacer(1, 12), _totals(invoice)]
    target = io.BytesIO()
    document = SimpleDocTemplate(target, pagesize=A4, title=f"Invoice {invoice['number']}")
    document.build(story)
    return target.getvalue()


def _customer(invoice: Body) -> list[str]:
    address = invoice["customer_address"] or {}
    parts = [invoice["customer_name"], invoice["customer_email"], *address.values()]
    return [part for part in parts if part] or [invoice["customer"]]


def _lines(invoice: Body, style: Any) -> Table:
    rows: list[list[Any]] = [["Description", "Quantity", "Unit price", "Amount"]]
    for line in invoice["lines"]["data"]:
        period = f"{day(line['period']['start'])} to {day(line['period']['end'])}"
        text = f"{_safe(line['description'])}<br/><font size='8'>{period}</font>"
        unit = int(line["pricing"]["unit_amount_decimal"])
        amounts = [written(amount, line["currency"]) for amount in (unit, line["amount"])]
        rows.append([Paragraph(text, style), str(line["quantity"]), *amounts])
    return Table(rows, WIDTHS, repeatRows=1, style=RULES)


def _totals(invoice: Body) -> Table:
    names = {
        "Subtotal": "subtotal",
        "Total": "total",
        "Amount paid": "amount_paid",
        "Amount due": "amount_remaining",
    }
    currency = invoice["currency"]
    rows = [[name, "", "", written(invoice[field], currency)] for name, field in names.items()]
    return Table(rows, WIDTHS, style=[("ALIGN", (3, 0), (3, -1), "RIGHT"), RULES[2]])


def _safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
