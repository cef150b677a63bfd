"""What is kept of Stripe's objects."""

from typing import Any

import stripe

from billing.adapters.stripe.snapshots import invoice_snapshot

NET, TAX, GROSS = 4_000, 333, 1_000
"""Of a line without tax, its tax, and of a line that includes it."""


def line(amount: int, **changes: Any) -> dict[str, Any]:
    plain = {"amount": amount, "quantity": 1, "description": "A line"}
    return {**plain, "taxes": [], "pretax_credit_amounts": [], **changes}


def test_lines_and_credit_notes_sum_to_the_total_exactly() -> None:
    """With a discount and with taxes, one of which is in the price already; of the rest a part was
    credited before it was paid, and is not due."""
    lines = [
        line(
            NET + 500,
            pretax_credit_amounts=[{"amount": 500, "type": "discount"}],
            taxes=[{"amount": TAX, "tax_behavior": "exclusive"}],
        ),
        line(GROSS, taxes=[{"amount": 77, "tax_behavior": "inclusive"}]),
        line(-250),
    ]
    total = NET + TAX + GROSS - 250
    snapshot = invoice_snapshot(
        stripe.Invoice.construct_from(
            {
                "id": "in_1",
                "object": "invoice",
                "created": 1_800_000_000,
                "currency": "usd",
                "number": "ACME-0001",
                "status": "open",
                "parent": None,
                "metadata": {},
                "lines": {"object": "list", "data": lines},
                "total": total,
                "pre_payment_credit_notes_amount": 83,
                "amount_remaining": total - 83,
                "hosted_invoice_url": None,
            },
            "key",
        )
    )
    assert snapshot is not None
    assert [each.total.amount for each in snapshot.lines] == [NET + TAX, GROSS, -250]
    assert sum(each.total.amount for each in snapshot.lines) == snapshot.total.amount
    assert snapshot.amount_due.amount == snapshot.total.amount - 83
