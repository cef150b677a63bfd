"""The credit log as a member may see it, and as a file for a spreadsheet."""

import csv
import io
from collections.abc import Callable, Mapping

from billing.domain.credits import EntryKind
from billing.domain.events import SCHEDULE, STRIPE
from billing.views import EntryView

Naming = Callable[[str], str]
"""What the file calls who has an id."""

_BYTE_ORDER_MARK = "\ufeff"
"""Excel takes a file without it for the machine's own encoding."""

_COLUMNS = ("date", "action", "credits", "from", "to", "by", "balance after", "reference")
_SERVICES = {STRIPE: "Stripe", SCHEDULE: "Automatic"}
_MANAGER, _SUPPORT = "manager", "support"
_ACTIONS = {
    EntryKind.GRANT: "Bought",
    EntryKind.TRANSFER: "Sent",
    EntryKind.HOLD: "Set aside",
    EntryKind.SPEND: "Spent",
    EntryKind.RETURN: "Returned",
    EntryKind.CLAWBACK: "Taken back",
}


def own_view(entry: EntryView, person: str) -> EntryView:
    """Return a line of the member's own log, with no one else's id.

    Whoever sent credits is `manager`, any other person `support`.
    """
    other = _MANAGER if entry["kind"] == EntryKind.TRANSFER else _SUPPORT
    known = {person, *_SERVICES}
    return {
        **entry,
        "from": _masked(entry["from"], known, other),
        "to": _masked(entry["to"], known, other),
        "by": entry["by"] if entry["by"] in known else other,
    }


def _masked(name: str | None, known: set[str], other: str) -> str | None:
    return name if name is None or name in known else other


def named_for_managers(emails: Mapping[str, str]) -> Naming:
    """`emails` are the account's people's, by id; nobody else who acts is a customer."""
    return lambda name: emails.get(name) or _SERVICES.get(name, "Support")


def named_for_member(person: str) -> Naming:
    """For lines from `own_view`."""
    names = {person: "You", _MANAGER: "Your manager", **_SERVICES}
    return lambda name: names.get(name, "Support")


def log_csv(entries: list[EntryView], name_of: Naming, *, own: str | None, first: bool) -> str:
    """Return lines as RFC 4180 has them, below the columns' names if it is the `first` part.

    The actions are the page's words. The columns keep their names and their order: others read
    them. `own` is the member whose own log it is.
    """
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\r\n")
    if first:
        text.write(_BYTE_ORDER_MARK)
        lines.writerow(_COLUMNS)
    for entry in entries:
        people = (entry["from"], entry["to"], entry["by"])
        cells = [entry["at"], _action(entry, own), str(entry["credits"])]
        cells += [name_of(person) if person else "" for person in people]
        balance = "" if entry["balance_after"] is None else entry["balance_after"]
        texts = [neutralized(cell) for cell in (*cells, entry["reference"])]
        lines.writerow([*texts[:-1], balance, texts[-1]])
    return text.getvalue()


def _action(entry: EntryView, own: str | None) -> str:
    kind, by = EntryKind(entry["kind"]), entry["by"]
    if kind is EntryKind.TRANSFER and own is not None and entry["to"] == own:
        return "Received"
    if kind is EntryKind.GRANT and by == SCHEDULE:
        return "Automatic top-up"
    if kind is EntryKind.GRANT and by not in (entry["to"], STRIPE):
        return "Given"
    return _ACTIONS[kind]


def neutralized(cell: str) -> str:
    """Keep a spreadsheet from taking what somebody wrote for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else cell
