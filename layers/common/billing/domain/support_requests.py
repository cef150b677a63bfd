"""What a manager asks Support or Sales for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Topic = Literal["upgrade", "downgrade", "annual_slots", "data_unlimited", "other"]

A_DAY_AT_MOST = 20
"""Requests that one account may send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportRequest:
    """`id` is the day and the number on that day, so that requests sort by time."""

    id: str
    topic: Topic
    message: str
    subject: str
    at: datetime
