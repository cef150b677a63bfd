"""Set up the virtual environment of a checkout with the pinned packages of a group.

    python3 -m infra.local.environment local

Does nothing if they are installed. Imports only the standard library. Packages are installed by
uv: the one on PATH, or else one that pip installs into the environment first.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from infra.local import installer
from infra.local.installer import InstallFailed
from infra.local.progress import say

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PINS = ROOT / "infra" / "local" / "pins"
RECORD = VENV / "installed.json"
MEGABYTES = {"local": 250, "dev": 700, "mutants": 750}

Pins = dict[str, list[str]]
"""Versions by package; a package has several where Pythons need different ones."""


@dataclass(frozen=True)
class Record:
    """Which packages are installed, and which ones an interrupted installation began."""

    pins: Pins
    begun: frozenset[str] = frozenset()

    @classmethod
    def read(cls) -> "Record | None":
        try:
            content = json.loads(RECORD.read_text())
            return cls(content["pins"], frozenset(content["begun"]))
        except (OSError, ValueError, KeyError):
            return None

    def write(self) -> None:
        unfinished = RECORD.with_suffix(".unfinished")
        unfinished.write_text(json.dumps({"pins": self.pins, "begun": sorted(self.begun)}))
        os.replace(unfinished, RECORD)

    def missing(self, wanted: Pins) -> Pins:
        return {name: pin for name, pin in wanted.items() if self.pins.get(name) != pin}

    def beginning(self, names: frozenset[str]) -> "Record":
        kept = {name: pin for name, pin in self.pins.items() if name not in names}
        return Record(kept, self.begun | names)

    def finished(self, pins: Pins) -> "Record":
        return Record({**self.pins, **pins}, self.begun - pins.keys())


def main(group: str) -> str | None:
    """Return what went wrong, or None."""
    if _is_ready(group):
        return None
    try:
        with _alone():
            if not _is_ready(group):
                _set_up(group)
    except InstallFailed as failure:
        return str(failure)
    except OSError as error:
        return installer.explain(str(error))
    except KeyboardInterrupt:
        return "Interrupted. The same command continues."
    return None


def uv() -> str | None:
    """Return the path of uv: the one on PATH, or else the environment's."""
    found = shutil.which("uv")
    if found and _runs(found):
        return found
    record = Record.read()
    return str(VENV / "bin" / "uv") if record and "uv" in record.pins else None


@cache
def _runs(program: str) -> bool:
    """Whether it runs: a version manager may leave a command that only says what is missing."""
    try:
        return subprocess.run([program, "--version"], capture_output=True).returncode == 0
    except OSError:
        return False


def read_pins(group: str) -> Pins:
    """Return the pins that apply outside Windows."""
    pins: Pins = {}
    for line in (PINS / f"{group}.txt").read_text().splitlines():
        if "==" in line and not line.startswith((" ", "#")) and "'win32'" not in line:
            name, _, version = line.removesuffix("\\").strip().partition("==")
            pins.setdefault(name, []).append(version)
    return pins


def _is_ready(group: str) -> bool:
    record = Record.read()
    is_made = record is not None and not record.missing(read_pins(group))
    return is_made and PYTHON.exists() and uv() is not None


@contextmanager
def _alone() -> Iterator[None]:
    """Lock the checkout against a concurrent setup."""
    checkout = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(checkout, fcntl.LOCK_EX)
        yield
    finally:
        os.close(checkout)


def _set_up(group: str) -> None:
    """Raises InstallFailed, OSError."""
    installer.require_space(ROOT, MEGABYTES[group])
    record = Record.read()
    if not PYTHON.exists():
        make = (sys.executable, "-m", "venv", "--without-pip", "--clear", VENV)
        installer.run(f"Setting up .venv with Python {sys.version.split()[0]}", make)
        record = Record({})
    elif record is None:
        # Somebody else made it, so its packages may be damaged.
        record = Record({}, frozenset(read_pins(group)))
    if uv() is None:
        record = _install_uv(record)
    _install(group, record)


def _install_uv(record: Record) -> Record:
    pins = read_pins("installer")
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input", "--force-reinstall")
    pinned = ("--require-hashes", "--only-binary=:all:", "--requirement", PINS / "installer.txt")
    installer.run("Installing uv", (*_pip(), "install", *quiet, *pinned))
    record = record.finished(pins)
    record.write()
    return record


def _pip() -> tuple[str | Path, ...]:
    """Return the command of a pip that installs into the environment."""
    if find_spec("pip"):
        return sys.executable, "-m", "pip", "--python", PYTHON
    installer.run("Installing pip", (PYTHON, "-m", "ensurepip"))
    return PYTHON, "-m", "pip"


def _install(group: str, record: Record) -> None:
    wanted = read_pins(group)
    missing = frozenset(record.missing(wanted))
    if not missing:
        return
    again = [f"--reinstall-package={name}" for name in sorted(missing & record.begun)]
    pinned = ("--require-hashes", "--requirement", PINS / f"{group}.txt")
    record = record.beginning(missing)
    record.write()
    installer.run(
        f"Installing {len(missing)} package{'s' if len(missing) > 1 else ''}",
        (uv() or "uv", "pip", "install", "--quiet", "--python", PYTHON, *pinned, *again),
        installer.index_settings(),
    )
    record.finished(wanted).write()


if __name__ == "__main__":
    failure = main(*sys.argv[1:])
    if failure:
        say(failure)
        sys.exit(1)
