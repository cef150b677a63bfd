"""The whole product on this machine.

    python -m infra.local.stack run    in the foreground, until Ctrl-C
    python -m infra.local.stack up     in the background; returns when it is healthy
    python -m infra.local.stack down   ends it, also what a crash left
    python -m infra.local.stack token  prints a token: ACCOUNT, ROLE, EMAIL and SCOPE say whose

PORT is the page's port, STATE the folder in which everything is kept, RESET=1 starts anew.
With STRIPE_API_KEY (and STRIPE_WEBHOOK_SECRET) Stripe's test mode takes the sandbox's place.
"""

import errno
import json
import logging
import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import NoReturn

from infra.local import installer
from infra.local.aws import REGION
from infra.local.environment import ROOT
from infra.local.errors import Unable
from infra.local.people import ANA, Person
from infra.local.processes import Identity, end, end_with_parent, wait_until
from infra.local.state import State
from infra.local.stripe_account import Credentials, choose

CARDS = """\
Cards to pay with (any date to come, any CVC):
  4242 4242 4242 4242  pays
  4000 0000 0000 0002  is declined
  4000 0025 0000 3155  asks for 3-D Secure
  4000 0000 0000 0341  pays now, fails at the renewal
"""


class Stopped(BaseException):
    """Somebody asked this process to end."""


def greeting(addresses: Mapping[str, str], credentials: Credentials) -> str:
    stripe = f"{addresses['stripe']}/" if credentials.is_sandbox else credentials.account
    return f"Billing  {addresses['api']}/\nStripe   {stripe}\n\n{CARDS}"


def greet(state: State, environment: Mapping[str, str], ending: str) -> None:
    """Print the addresses, and how to end the stack."""
    addresses = json.loads(state.published.read_text())
    write(f"{greeting(addresses, choose(environment))}{ending}")


def run(state: State, environment: Mapping[str, str], *, greets: bool) -> None:
    """Start the stack, print its addresses if it `greets`, and watch it until it is stopped."""
    # Imports the AWS SDK, which is slow and which the other commands do not need.
    from infra.local.supervisor import Stack

    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGHUP, _stop)
    state.claim()
    stack = None
    try:
        state.note_running([each for each in (Identity.of(os.getpid()),) if each])
        stack = Stack(state, environment)
        stack.start()
        if greets:
            greet(state, environment, "\nCtrl-C ends it." if sys.stdout.isatty() else "")
        stack.watch()
    except Stopped:
        write(f"Ending. What was done is kept in {state.folder}.")
    finally:
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        if stack:
            stack.stop()
        else:
            state.release()


def up(state: State, environment: Mapping[str, str]) -> None:
    """Start the stack in the background, and show what it writes until it is healthy.

    Raises Unable.
    """
    state.check()
    if state.is_claimed:
        state.claim()
    state.clear()
    state.logs.mkdir(parents=True, exist_ok=True)
    log = state.logs / "stack.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            (sys.executable, "-m", "infra.local.stack", "serve"),
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _follow(log, process, state)
    if process.poll() is not None:
        raise Unable("The stack did not start; the reason is above.")
    greet(state, environment, "\n`make down` ends it.")


def _follow(log: Path, process: "subprocess.Popen[bytes]", state: State) -> None:
    """Copy the log to stderr until the stack is up or has ended."""

    def is_decided() -> bool:
        return state.published.exists() or process.poll() is not None

    with log.open() as written:

        def copy() -> None:
            sys.stderr.write(written.read())
            sys.stderr.flush()

        try:
            # It has limits for each of its steps, so there is none for all of them.
            wait_until(is_decided, math.inf, copy)
            copy()
        except BaseException:
            process.terminate()
            process.wait()
            raise


def down(state: State) -> None:
    running = state.running()
    for each in running:
        end(each)
    if running:
        write(f"Ended. What was done is kept in {state.folder}.")
    else:
        write(f"Nothing is up on {state.folder}.")
    state.clear()


def token(state: State, environment: Mapping[str, str]) -> str:
    """Raises Unable before the first start: the issuer's address is part of the token."""
    from infra.local.issuer import SCOPES, Keys, access_token

    if not state.key.exists() or "issuer" not in state.ports:
        raise Unable(f"No stack was ever up on {state.folder}. `make up` starts it.")
    role = environment.get("ROLE", ANA.role)
    if role not in ("manager", "member", ""):
        raise Unable(f"ROLE={role} is neither manager nor member.")
    person = Person(
        environment.get("EMAIL") or ANA.email,
        environment.get("ACCOUNT") or ANA.account,
        role,
        tuple(environment.get("SCOPE", "").split()),
    )
    issuer = f"http://127.0.0.1:{state.ports['issuer']}"
    return access_token(Keys(state.key), issuer, person, SCOPES)


def write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped


def _forget_aws_settings() -> None:
    """The host's profiles, keys and endpoints have no say here."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_DEFAULT_REGION"] = REGION


def obey(command: str, state: State, environment: Mapping[str, str]) -> None:
    """Raises Unable."""
    if command in ("run", "up") and environment.get("RESET") == "1":
        state.reset()
    match command:
        case "run":
            end_with_parent(os.getppid())
            run(state, environment, greets=True)
        case "serve":
            run(state, environment, greets=False)
        case "up":
            up(state, environment)
        case "down":
            down(state)
        case "token":
            write(token(state, environment))
        case _:
            raise Unable(str(__doc__))


def main() -> None:
    os.umask(0o077)  # the state holds secrets
    state = State(Path(os.environ.get("STATE") or ROOT / ".local"))
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    _forget_aws_settings()
    try:
        obey(" ".join(sys.argv[1:]), state, os.environ)
    except Unable as error:
        sys.exit(str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sys.exit(installer.explain(str(error)))
    except KeyboardInterrupt:
        sys.exit("Interrupted.")


if __name__ == "__main__":
    main()
