"""The whole product on this machine.

    python -m infra.local.stack run    in the foreground, until Ctrl-C
    python -m infra.local.stack up     in the background; returns when it is healthy
    python -m infra.local.stack down   ends it, also what a crash left
    python -m infra.local.stack token  prints a token: ACCOUNT, ROLE, EMAIL and SCOPE say whose

PORT is the page's port, STATE the folder in which everything is kept, RESET=1 starts anew.
With STRIPE_API_KEY (and STRIPE_WEBHOOK_SECRET) Stripe's test mode takes the sandbox's place.
"""

import logging
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import NoReturn

from infra.local.aws import REGION, create_runtime
from infra.local.build import BuildFailed
from infra.local.deploy import Deployment, DeploymentFailed
from infra.local.people import ANA, Person
from infra.local.ports import free_port, holder, is_free
from infra.local.processes import (
    Identity,
    Process,
    ProcessFailed,
    end,
    end_with_parent,
    stop_all,
    wait_until,
)
from infra.local.state import State, StateUnusable
from infra.local.stripe_account import CatalogNotApplied, KeyRefused, StripeAccount, choose

ROOT = Path(__file__).parents[2]
BUILDS = ROOT / ".local" / "build"
MAIL_FROM = "billing@sales-tool.test"
START_SECONDS = 600
WATCH_SECONDS = 0.5
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ")

CARDS = """\
Cards to pay with (any date to come, any CVC):
  4242 4242 4242 4242  pays
  4000 0000 0000 0002  is declined
  4000 0025 0000 3155  asks for 3-D Secure
  4000 0000 0000 0341  pays now, fails at the renewal
"""


class Unable(Exception):
    """What was asked for cannot be done; the message says why and what to do."""


class Stopped(BaseException):
    """Somebody asked this process to end."""


def choose_port(environment: Mapping[str, str]) -> int:
    """Raises Unable when it is taken, and names who holds it."""
    given = environment.get("PORT") or "8080"
    if not given.isdigit() or int(given) > 65535:
        raise Unable(f"PORT={given} is no port.")
    port = int(given) or free_port()
    if not is_free(port):
        by = holder(port) or "another process"
        raise Unable(f"Port {port} is taken by {by}. Choose another one: PORT={port + 1}")
    return port


class Stack:
    """Starts the processes, deploys, and watches until it is stopped."""

    def __init__(self, state: State, environment: Mapping[str, str]) -> None:
        self.state = state
        self.credentials = choose(environment)
        self.ports = state.settle(self.credentials.account, choose_port(environment))
        self.stripe = self.credentials.base(self.ports["stripe"])
        self.api = f"http://127.0.0.1:{self.ports['api']}"
        self.aws = f"http://127.0.0.1:{self.ports['aws']}"
        self.issuer = f"http://127.0.0.1:{self.ports['issuer']}"
        self.processes: dict[str, Process] = {}

    def start(self) -> None:
        """Raises BuildFailed, CatalogNotApplied, DeploymentFailed, ProcessFailed."""
        self._start_processes()
        with ThreadPoolExecutor(max_workers=1) as beside:
            webhook_secret: Future[str] = beside.submit(self._set_stripe_up)
            deployment = Deployment(ROOT, self.aws, BUILDS)
            built = deployment.build()
            self.processes["aws"].wait_until_ready(f"{self.aws}/_ministack/health")
            self.processes["issuer"].wait_until_ready(f"{self.issuer}/.well-known/jwks.json")
            outputs = deployment.deploy(built, self._parameters())
            deployment.accept_mail_from(MAIL_FROM)
            deployment.keep_secret(
                outputs["StripeSecretArn"],
                {"api_key": self.credentials.key, "webhook_secrets": [webhook_secret.result()]},
            )
        self.processes["aws"].wait_until_ready(f"{self.api}/health")
        self.state.publish(
            {"api": self.api, "stripe": self.stripe, "issuer": self.issuer, "aws": self.aws},
            self.credentials.account,
        )

    def watch(self) -> NoReturn:
        """Raises ProcessFailed when one ends by itself."""
        while True:
            for process in self.processes.values():
                process.check()
            time.sleep(WATCH_SECONDS)

    def stop(self) -> None:
        stop_all(list(self.processes.values()))
        self.state.release()

    def _start_processes(self) -> None:
        runtime = create_runtime(self.state.runtime)
        aws = ("--port", str(self.ports["aws"]), "--api-port", str(self.ports["api"]))
        folders = ("--state", self.state.aws, "--runtime", runtime)
        log = ("--functions-log", self.state.logs / "functions.log")
        self._start("aws", *aws, *folders, *log)
        issuer = ("--port", str(self.ports["issuer"]), "--page", self.api, "--key", self.state.key)
        self._start("issuer", *issuer)
        if self.credentials.is_sandbox:
            sandbox = ("--port", str(self.ports["stripe"]), "--state", self.state.stripe)
            self._start("stripe_sandbox", *sandbox, "--secret-key", self.credentials.key)

    def _start(self, name: str, *arguments: str | Path) -> None:
        command = (sys.executable, "-m", f"infra.local.{name}", *arguments)
        log = self.state.logs / f"{name}.log"
        self.processes[name] = Process(name, command, ROOT, log, self._environment())
        started = (each.identity for each in self.processes.values())
        self.state.note_running([each for each in (_myself(), *started) if each])

    def _environment(self) -> dict[str, str]:
        """What the processes see: no secrets of the host, no home with its credentials."""
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        tmp = str(self.state.tmp)
        return {**inherited, "HOME": tmp, "TMPDIR": tmp, "PYTHONUNBUFFERED": "1"}

    def _set_stripe_up(self) -> str:
        if self.credentials.is_sandbox:
            self.processes["stripe_sandbox"].wait_until_ready(f"{self.stripe}/sandbox/health")
        account = StripeAccount(ROOT, self.state, self.credentials, self.stripe)
        return account.set_up(f"{self.api}/webhooks/stripe", self._environment())

    def _parameters(self) -> dict[str, str]:
        return {
            "JwtIssuer": self.issuer,
            "PageUrl": f"{self.api}/",
            "MailFrom": MAIL_FROM,
            "StripeLivemode": "false",
            "StripeApiBase": self.stripe,
            "ClockUrl": f"{self.stripe}/sandbox/clock" if self.credentials.is_sandbox else "",
            "Architecture": "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64",
        }

    def greeting(self) -> str:
        stripe = f"{self.stripe}/" if self.credentials.is_sandbox else self.credentials.account
        return f"Billing  {self.api}/\nStripe   {stripe}\n\n{CARDS}"


def run(state: State, environment: Mapping[str, str]) -> None:
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGHUP, _stop)
    state.claim()
    stack = None
    try:
        state.note_running([each for each in (_myself(),) if each])
        stack = Stack(state, environment)
        stack.start()
        say(stack.greeting() + ("\nCtrl-C ends it." if sys.stdout.isatty() else ""))
        stack.watch()
    except Stopped:
        say(f"Ending. What was done is kept in {state.folder}.")
    finally:
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        if stack:
            stack.stop()
        else:
            state.release()


def up(state: State, environment: Mapping[str, str]) -> None:
    """Raises Unable with what the background process wrote when it failed."""
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
    try:
        wait_until(lambda: state.published.exists() or process.poll() is not None, START_SECONDS)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if process.poll() is not None:
        raise Unable(log.read_text().strip())
    say(log.read_text() + "`make down` ends it.")


def down(state: State) -> None:
    running = state.running()
    for each in running:
        end(each)
    if running:
        say(f"Ended. What was done is kept in {state.folder}.")
    else:
        say(f"Nothing is up on {state.folder}.")
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


_REASONS = (
    BuildFailed,
    CatalogNotApplied,
    DeploymentFailed,
    KeyRefused,
    ProcessFailed,
    StateUnusable,
    Unable,
)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _myself() -> Identity | None:
    return Identity.of(os.getpid())


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped


def _forget_aws_settings() -> None:
    """The host's profiles, keys and endpoints have no say here."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_DEFAULT_REGION"] = REGION


def main() -> None:
    command = sys.argv[1] if len(sys.argv) == 2 else ""
    state = State(Path(os.environ.get("STATE") or ROOT / ".local"))
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    _forget_aws_settings()
    try:
        if command in ("run", "up") and os.environ.get("RESET") == "1":
            state.reset()
        if command == "run":
            end_with_parent(os.getppid())
            run(state, os.environ)
        elif command == "serve":
            run(state, os.environ)
        elif command == "up":
            up(state, os.environ)
        elif command == "down":
            down(state)
        elif command == "token":
            say(token(state, os.environ))
        else:
            sys.exit(__doc__)
    except _REASONS as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
