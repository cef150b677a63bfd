"""Settings of a deployed stack, for commands that work on its tables.

A command takes over the environment of functions of the stack, so it uses the same tables, secret,
queue, bus and clock. It needs credentials of AWS that may do what it does, and may read the stack
and these functions' configuration.
"""

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

_ROOT = Path(__file__).parents[1]
RENEWALS = "RenewalsFunction"
"""It knows both tables, Stripe's secret and the terms."""
RECONCILE = "ReconcileFunction"
"""It knows the table, Stripe's secret and the queue of its events."""
PUBLISH_EVENTS = "PublishEventsFunction"
"""It knows the bus."""


MOMENT = "a day, 2026-11-01, or a time, 2026-11-01T08:30:00Z; UTC unless it says otherwise"


class NoStack(Exception):
    """There is no such stack, or it isn't running."""


def take_over(parser: argparse.ArgumentParser, *functions: str) -> argparse.Namespace:
    """Parse the arguments, `--stack` or `--local` among them, and set the environment of these
    functions.

    Import `billing` after it, inside of functions: its settings are read at import. Ends with a
    message where there is no such stack.
    """
    sys.path.insert(0, str(_ROOT / "layers" / "common"))
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--stack", help="the name of the stack in AWS")
    chosen.add_argument("--local", action="store_true", help="the stack that `make up` started")
    given = parser.parse_args()
    try:
        if given.local:
            _use_the_local_aws()
        for each in functions:
            os.environ.update(_environment("billing" if given.local else given.stack, each))
    except NoStack as problem:
        parser.error(str(problem))
    return given


def moment(text: str) -> datetime:
    """Read MOMENT. Raises ValueError."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _use_the_local_aws() -> None:
    # The emulator is installed for the local stack only.
    from infra.local import aws

    try:
        folder = Path(os.environ.get("STATE") or _ROOT / ".local")
        address = json.loads((folder / "stack.json").read_text())["aws"]
    except (OSError, ValueError, KeyError) as error:
        raise NoStack("No local stack is running. Start it: make up") from error
    os.environ |= {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": aws.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": aws.SECRET_KEY,
        "AWS_DEFAULT_REGION": aws.REGION,
    }


def _environment(stack: str, function: str) -> dict[str, str]:
    try:
        resource = boto3.client("cloudformation").describe_stack_resource(
            StackName=stack, LogicalResourceId=function
        )
        name = resource["StackResourceDetail"]["PhysicalResourceId"]
        found: Any = boto3.client("lambda").get_function_configuration(FunctionName=name)
    except (BotoCoreError, ClientError) as error:
        raise NoStack(f"The stack {stack} could not be read: {error}") from error
    variables: dict[str, str] = found["Environment"]["Variables"]
    return variables
