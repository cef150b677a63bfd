"""Processes that end when the one that started them ends, however it ends."""

import ctypes
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from infra.local.errors import Unable
from infra.local.progress import Waiting

START_SECONDS = 120
"""Generous, for a busy machine. A process that exits fails its start at once."""
GRACE_SECONDS = 60
_POLL_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1


class ProcessFailed(Unable):
    """A process ended, or was not ready in time; the message holds the end of its log."""


@dataclass(frozen=True)
class Identity:
    """A process for as long as it lives: its number alone is given to others afterwards."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """None if there is no such process, or it only waits to be collected."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            return None if fields[0] == "Z" else cls(pid, fields[19])
        except OSError:
            return None if Path("/proc/self").exists() else cls._by_ps(pid)

    @classmethod
    def _by_ps(cls, pid: int) -> "Identity | None":
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        started = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return cls(pid, started.strip()) if started.strip() else None

    @property
    def alive(self) -> bool:
        return Identity.of(self.pid) == self


class Process:
    """A process in a group of its own, which writes to a log file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        folder: Path,
        log: Path,
        environment: Mapping[str, str],
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
                preexec_fn=partial(end_with_parent, os.getpid()),
            )
        self.identity = Identity.of(self._process.pid)

    def wait_until_ready(self, url: str, what: str = "") -> None:
        """Wait until `url` answers, and tell the terminal after a while.

        Raises ProcessFailed.
        """
        waiting = Waiting(f"Waiting for {what or self.name}")

        def check() -> None:
            waiting()
            self.check()

        try:
            wait_until(lambda: answers(url), START_SECONDS, check)
        except TimeoutError:
            reason = f"{url} did not answer within {START_SECONDS} s."
            raise ProcessFailed(f"{reason}\n{tail(self.log)}") from None

    def check(self) -> None:
        """Raises ProcessFailed if it has ended."""
        code = self._process.poll()
        if code is not None:
            raise ProcessFailed(f"{self.name} ended with {code}.\n{tail(self.log)}")

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)

    def collect(self, deadline: float) -> None:
        """Wait for its end, and end whatever is left of its group after the deadline."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, deadline - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def stop_all(processes: Sequence[Process]) -> None:
    for process in processes:
        process.stop()
    deadline = time.monotonic() + GRACE_SECONDS
    for process in processes:
        process.collect(deadline)


def end(identity: Identity) -> None:
    """End a process of an earlier run and its group, if it is still the same one."""
    if not identity.alive:
        return
    with suppress(ProcessLookupError):
        os.kill(identity.pid, signal.SIGTERM)
    try:
        wait_until(lambda: not identity.alive, GRACE_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(identity.pid, signal.SIGKILL)


def wait_until(
    done: Callable[[], bool],
    seconds: float,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Raises TimeoutError, and whatever `check` raises meanwhile."""
    deadline = time.monotonic() + seconds
    while not done():
        check()
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(_POLL_SECONDS)


def answers(url: str) -> bool:
    """Whether a GET answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def end_with_parent(parent: int) -> None:
    """On Linux the kernel ends this process with its parent, even one that was killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)
