"""Scheduled functions follow the sandbox's clock, while MiniStack's schedules follow the machine's.

A clock that jumps by a month would leave what is due by then undone for up to a quarter of an hour.
"""

import json
import urllib.request
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.local import deploy

JUMP_SECONDS = 60
"""By fewer the clock moves without anybody waiting for the schedule."""


class Schedules:
    """The rules at the MiniStack at `aws` that run at a rate."""

    def __init__(self, clock_url: str, aws: str) -> None:
        self._clock_url = clock_url
        self._events = deploy.client("events", aws)
        self._functions = deploy.client("lambda", aws)
        self._offset = self._read_offset()

    def follow_clock(self) -> None:
        """Run each rule's functions once if the clock has jumped ahead since the last look."""
        try:
            offset = self._read_offset()
            if offset >= self._offset + JUMP_SECONDS:
                self._run_all()
        except (OSError, BotoCoreError, ClientError):
            # Whoever watches the processes says which one is ending. Or else: the next look.
            return
        self._offset = offset

    def _read_offset(self) -> float:
        with urllib.request.urlopen(self._clock_url, timeout=60) as answer:
            return float(json.load(answer)["offset_seconds"])

    def _run_all(self) -> None:
        for rule in self._events.list_rules()["Rules"]:
            if rule.get("ScheduleExpression", "").startswith("rate("):
                targets = self._events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
                for target in targets:
                    self._run(target["Arn"], rule["Arn"])

    def _run(self, function: str, rule: str) -> None:
        event: dict[str, Any] = {
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "resources": [rule],
            "detail": {},
        }
        payload = json.dumps(event).encode()
        self._functions.invoke(FunctionName=function, InvocationType="Event", Payload=payload)
