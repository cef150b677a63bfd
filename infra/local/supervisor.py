"""Start the stack's processes, deploy the template, and watch them until they are stopped."""

import os
import platform
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

from infra.local import installer
from infra.local.aws import create_runtime
from infra.local.deploy import Deployment
from infra.local.environment import ROOT
from infra.local.errors import Unable
from infra.local.ports import free_port, holder, is_free
from infra.local.processes import Identity, Process, stop_all
from infra.local.progress import say
from infra.local.schedules import Schedules
from infra.local.state import State
from infra.local.stripe_account import StripeAccount, choose

BUILDS = ROOT / ".local" / "build"
MAIL_FROM = "billing@sales-tool.test"
WATCH_SECONDS = 0.5
MEGABYTES = 100
"""What a first start writes to the disk."""
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ")
_NAMES = {
    "aws": "MiniStack",
    "issuer": "the sign-in provider",
    "stripe_sandbox": "the Stripe sandbox",
}


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
        self.clock = f"{self.stripe}/sandbox/clock" if self.credentials.is_sandbox else ""
        self.processes: dict[str, Process] = {}

    def start(self) -> None:
        """Raises BuildFailed, CatalogNotApplied, DeploymentFailed, InstallFailed, ProcessFailed."""
        installer.require_space(self.state.folder, MEGABYTES)
        self._start_processes()
        say(f"Starting {', '.join(each.name for each in self.processes.values())}")
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
        self.processes["aws"].wait_until_ready(f"{self.api}/health", "the API")
        self.state.publish(
            {"api": self.api, "stripe": self.stripe, "issuer": self.issuer, "aws": self.aws},
            self.credentials.account,
        )

    def watch(self) -> NoReturn:
        """Raises ProcessFailed when one ends by itself."""
        schedules = Schedules(self.clock, self.aws) if self.clock else None
        while True:
            for process in self.processes.values():
                process.check()
            if schedules is not None:
                schedules.follow_clock()
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
        environment = self._environment()
        self.processes[name] = Process(_NAMES[name], command, ROOT, log, environment)
        started = (each.identity for each in self.processes.values())
        self.state.note_running([each for each in (Identity.of(os.getpid()), *started) if each])

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
            "ClockUrl": self.clock,
            "Architecture": "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64",
        }
