"""One whole stack for all tests that want one, in a folder of its own.

Other test folders share it: `from tests.stack.running import stack` in their conftest.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.local import deploy
from infra.local.issuer import Keys, access_token
from infra.local.people import ANA, Person
from tests.waiting import PATIENCE_SECONDS, waiting_for

ROOT = Path(__file__).parents[2]


class NotStarted(Exception):
    """The message is what the command wrote."""


@dataclass(frozen=True)
class Folder:
    """A state folder, and the commands of the Makefile on it."""

    path: Path

    def command(self, name: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._words(name),
            cwd=ROOT,
            env=self._environment(settings),
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self) -> subprocess.Popen[str]:
        """As somebody at a terminal runs it, in a process group of its own."""
        return subprocess.Popen(
            ["make", "run"],
            cwd=ROOT,
            env=self._environment({}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def up(self, **settings: str) -> "Stack":
        """Raises NotStarted."""
        started = time.monotonic()
        with waiting_for("the stack"):
            result = self.command("up", **settings)
        if result.returncode:
            raise NotStarted(result.stdout + result.stderr)
        return self.stack(time.monotonic() - started)

    def stack(self, start_seconds: float = 0) -> "Stack":
        addresses = json.loads((self.path / "stack.json").read_text())
        return Stack(folder=self, start_seconds=start_seconds, **addresses)

    def down(self) -> None:
        result = self.command("down")
        assert result.returncode == 0, result.stderr

    def _words(self, name: str) -> list[str]:
        return [sys.executable, "-m", "infra.local.stack", name]

    def _environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        host = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {**host, "STATE": str(self.path), "PORT": "0", **settings}


@dataclass(frozen=True)
class Stack:
    """A stack that is up: base addresses, and what tests need to speak to it."""

    api: str
    stripe: str
    issuer: str
    aws: str
    folder: Folder
    start_seconds: float

    def token(self, person: Person = ANA) -> str:
        return access_token(self.keys, self.issuer, person)

    @property
    def keys(self) -> Keys:
        return Keys(self.folder.path / "issuer.pem")

    def client(self, service: str) -> Any:
        """A client of AWS as the account's root."""
        return deploy.client(service, self.aws)

    @property
    def outputs(self) -> dict[str, str]:
        """Of the deployed template."""
        [stack] = self.client("cloudformation").describe_stacks(StackName=deploy.STACK)["Stacks"]
        return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def until(holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Waits for what other processes bring about."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"did not hold within {seconds} s")
        time.sleep(0.1)


_SHARED = pytest.StashKey[Stack]()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Stack:
    """Started once in a session, however many folders ask for it."""
    config = request.config
    if _SHARED not in config.stash:
        folder = Folder(Path(tempfile.mkdtemp(prefix="billing-stack-")))
        config.add_cleanup(lambda: shutil.rmtree(folder.path, ignore_errors=True))
        config.add_cleanup(folder.down)
        config.stash[_SHARED] = folder.up()
    return config.stash[_SHARED]
