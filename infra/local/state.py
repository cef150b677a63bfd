"""The folder in which a stack keeps what lasts, and whether a stack is running on it."""

import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from infra.local.errors import Unable
from infra.local.ports import free_port, is_free
from infra.local.processes import Identity

FORMAT = 1
_KEPT = ("aws", "stripe.sqlite3", "stripe.sqlite3-wal", "stripe.sqlite3-shm", "issuer.pem")
_OURS = (*_KEPT, "logs", "tmp", "runtime", "state.json", "running.json", "stack.json", "lock")
# Builds are shared by all stacks of a checkout, and outlive their state.
_BESIDE = {"build"}


class StateUnusable(Unable):
    """The message says what is wrong and what to do."""


class State:
    """`folder` as the state of one stack; nothing is written before `claim`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.aws = self.folder / "aws"
        self.stripe = self.folder / "stripe.sqlite3"
        self.key = self.folder / "issuer.pem"
        self.logs = self.folder / "logs"
        self.tmp = self.folder / "tmp"
        self.runtime = self.folder / "runtime"
        self.published = self.folder / "stack.json"
        self._marker = self.folder / "state.json"
        self._running = self.folder / "running.json"
        self._lock: IO[str] | None = None

    def claim(self) -> None:
        """Hold the folder for as long as this process lives, however it ends.

        Raises StateUnusable when another one holds it.
        """
        self.check()
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise StateUnusable(self._who_runs()) from None
        self._lock = lock
        self._make_private()
        self.published.unlink(missing_ok=True)
        shutil.rmtree(self.tmp, ignore_errors=True)
        for each in (self.aws, self.logs, self.tmp):
            each.mkdir(exist_ok=True)

    def _make_private(self) -> None:
        """What is made from now on is private; this is for what was there before."""
        self.folder.chmod(0o700)
        for file in (self._marker, self.stripe, *(self.aws / "services").glob("*")):
            if file.is_file():
                file.chmod(0o600)

    @property
    def is_claimed(self) -> bool:
        if self._lock is not None:
            return True
        with suppress(OSError), (self.folder / "lock").open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    def _who_runs(self) -> str:
        stack = _read(self.published)
        where = f" at {stack['api']}/" if stack else ""
        return f"A stack is up on {self.folder} already{where}. `make down` ends it."

    def check(self) -> None:
        """Raises StateUnusable unless the folder is empty, new, or was left by this version."""
        if self.folder.exists() and not self.folder.is_dir():
            raise StateUnusable(f"{self.folder} is a file. Name a folder with STATE=folder.")
        if not self.folder.exists() or not _names(self.folder):
            return
        if not self._marker.exists() and not _names(self.folder) <= set(_OURS):
            raise StateUnusable(
                f"{self.folder} holds other things and is no state folder of this stack. "
                "Name another one with STATE=folder."
            )
        if self._marker.exists():
            self._check_marker()
        self._check_files()

    def _check_marker(self) -> None:
        marker = _read(self._marker)
        if marker is None:
            raise self._spoiled("state.json cannot be read")
        made = {"format": marker.get("format"), "ministack": marker.get("ministack")}
        if made != _versions():
            raise self._spoiled(
                f"it was made by format {made['format']} with MiniStack {made['ministack']}, and "
                f"this is format {FORMAT} with MiniStack {_versions()['ministack']}"
            )

    def _check_files(self) -> None:
        for file in (self.aws / "services").glob("*.json"):
            try:
                json.loads(file.read_bytes())
            except ValueError:
                raise self._spoiled(f"aws/services/{file.name} cannot be read") from None
        if self.stripe.exists():
            try:
                with closing(sqlite3.connect(self.stripe)) as database:
                    database.execute("PRAGMA schema_version").fetchone()
            except sqlite3.Error as error:
                raise self._spoiled(f"{self.stripe.name} cannot be read ({error})") from None

    def _spoiled(self, why: str) -> StateUnusable:
        return StateUnusable(
            f"The state in {self.folder} cannot be used: {why}. RESET=1 starts anew and throws it "
            "away; STATE=folder starts on another one."
        )

    def reset(self) -> None:
        """Throw away what lasts. Raises StateUnusable if a stack runs on it, or it is foreign."""
        if not self.folder.exists():
            return
        if self.is_claimed:
            raise StateUnusable(self._who_runs())
        if not self._marker.exists() and not _names(self.folder) <= set(_OURS):
            self.check()
        for name in _OURS:
            entry = self.folder / name
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)

    def settle(self, stripe: str, api_port: int) -> dict[str, int]:
        """The ports to use, those of before if they are free.

        Raises StateUnusable when the folder was used with another Stripe.
        """
        marker = _read(self._marker) or {}
        before = marker.get("stripe", stripe)
        if before != stripe:
            raise self._spoiled(f"it knows customers of {before}, and this is {stripe}")
        ports = {"api": api_port}
        for name in ("aws", "stripe", "issuer"):
            port = marker.get("ports", {}).get(name)
            ports[name] = port if port and is_free(port) else free_port()
        _write(self._marker, {**marker, **_versions(), "ports": ports})
        return ports

    @property
    def ports(self) -> Mapping[str, int]:
        """Empty before the first start."""
        marker = _read(self._marker) or {}
        ports: dict[str, int] = marker.get("ports", {})
        return ports

    def webhook_secret(self, url: str) -> str | None:
        """The secret of the endpoint at `url`, if it was kept."""
        webhook = (_read(self._marker) or {}).get("webhook", {})
        secret: str | None = webhook.get("secret") if webhook.get("url") == url else None
        return secret

    def keep_webhook_secret(self, url: str, secret: str) -> None:
        marker = _read(self._marker) or {}
        _write(self._marker, {**marker, "webhook": {"url": url, "secret": secret}})

    def note_running(self, processes: list[Identity]) -> None:
        _write(self._running, {"processes": [asdict(each) for each in processes]})

    def running(self) -> list[Identity]:
        """Processes of the last run that live, its own first."""
        noted = (_read(self._running) or {}).get("processes", [])
        return [identity for each in noted if (identity := Identity(**each)).alive]

    def publish(self, stack: Mapping[str, str], stripe: str) -> None:
        """Tell where the stack is; from now on the folder belongs to this `stripe`."""
        _write(self._marker, {**(_read(self._marker) or {}), "stripe": stripe})
        _write(self.published, stack)

    def release(self) -> None:
        self.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def clear(self) -> None:
        """Remove what is there only while a stack is up."""
        self.published.unlink(missing_ok=True)
        self._running.unlink(missing_ok=True)
        shutil.rmtree(self.tmp, ignore_errors=True)


def _versions() -> dict[str, Any]:
    return {"format": FORMAT, "ministack": version("ministack")}


def _names(folder: Path) -> set[str]:
    return {entry.name.replace(".unfinished", ".json") for entry in folder.iterdir()} - _BESIDE


def _read(file: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _write(file: Path, content: Mapping[str, Any]) -> None:
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(unfinished, file)
