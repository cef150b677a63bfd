"""Run uv and pip, configure them, and explain their errors.

Imports only the standard library, because nothing is installed yet.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.local.errors import Unable
from infra.local.progress import EVERY_SECONDS, Waiting, say

_UV_INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_CONFIG_FILE")
_UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "HTTPS_PROXY",
}
_PIP_SECTIONS = ("global", "install", ":env:")
"""The later one wins."""

_MEANINGS = {
    r"No space left on device|Disk quota exceeded|os error (28|122)": (
        "The disk is full. Free some space, then run the command again."
    ),
    r"(?i)hash mismatch|do not match the hashes": (
        "A downloaded package differs from its pinned hash, so it was not installed. "
        "Run the command again. If it fails again, check the package index you install from."
    ),
    r"No module named '?ensurepip|ensurepip is (not available|disabled)|No module named '?venv": (
        "This Python has neither pip nor the modules to install it. On Debian and Ubuntu: "
        "apt install python3-venv. Elsewhere, install uv and put it on PATH."
    ),
    r"(?i)error sending request|failed to fetch|network (is unreachable|was disabled)|dns error|"
    r"connection (refused|broken|reset)|name resolution|retries exceeded|time(d |-)?out": (
        "The package index did not respond. Check the network connection, then run the command "
        "again. Behind a mirror, set UV_DEFAULT_INDEX or PIP_INDEX_URL."
    ),
}


class InstallFailed(Unable):
    """Says what is wrong and what to do, then quotes the installer."""


def require_space(folder: Path, megabytes: int) -> None:
    """Check that the disk of `folder` has room.

    Python 3.11 keeps a bytecode file that a full disk cut short, and fails on every later import.
    Raises InstallFailed.
    """
    left = shutil.disk_usage(folder).free // 1_000_000
    if left < megabytes:
        raise InstallFailed(
            f"The disk is nearly full: {megabytes} MB are needed in {folder}, and {left} MB are "
            "left. Free some space, then run the command again."
        )


def explain(error: str, otherwise: str = "The packages could not be installed.") -> str:
    """Return what an installer's error means, if it is a known one, followed by the error."""
    meanings = (text for pattern, text in _MEANINGS.items() if re.search(pattern, error))
    return f"{next(meanings, otherwise)}\n\n{error.strip()}"


def run(doing: str, command: Sequence[str | Path], settings: Mapping[str, str] = {}) -> None:
    """Run an installer, and show its output only if it fails.

    Raises InstallFailed.
    """
    say(doing)
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **settings},
    )
    output = _output(process, Waiting(doing))
    if process.returncode:
        raise InstallFailed(explain(output))


def _output(process: "subprocess.Popen[str]", waiting: Waiting) -> str:
    try:
        while True:
            try:
                return process.communicate(timeout=EVERY_SECONDS)[0]
            except subprocess.TimeoutExpired:
                waiting()
    except BaseException:
        process.terminate()
        process.wait()
        raise


def index_settings() -> dict[str, str]:
    """Return pip's index, certificate and proxy under uv's names, unless uv has an index itself."""
    if any(os.environ.get(name) for name in _UV_INDEX):
        return {}
    configured = _pip_configuration()
    found = {
        uv_name: " ".join(configured[f"{section}.{name}"].split())
        for section in _PIP_SECTIONS
        for name, uv_name in _UV_NAMES.items()
        if configured.get(f"{section}.{name}")
    }
    return {name: value for name, value in found.items() if not os.environ.get(name)}


def _pip_configuration() -> dict[str, str]:
    """Return what pip reads from its files and environment; nothing where there is no pip."""
    base = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    for python in (each for each in (Path(sys.executable), base) if each.exists()):
        command = [str(python), "-m", "pip", "config", "list"]
        listed = subprocess.run(command, capture_output=True, text=True, check=False)
        if listed.returncode == 0:
            lines = (line.partition("=") for line in listed.stdout.splitlines() if "=" in line)
            return {name: str(ast.literal_eval(value)) for name, _, value in lines}
    return {}
