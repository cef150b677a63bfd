"""What happened to an account: its history, and what the bus tells everybody else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

STRIPE = "stripe"
"""Who did it, where Stripe did: a renewal, a failed payment."""

SCHEDULE = "schedule"
"""Who did it, where nobody did and time passed."""

Fact = str | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`type` is a thing and what became of it, `slots.changed`; `by` the subject of who did it,
    or STRIPE or SCHEDULE. `reason` is what an operator gave, `facts` what else there is to tell:
    ids, names of the catalog, credits, times and amounts as text or integers.
    """

    type: str
    at: datetime
    by: str
    reason: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)
