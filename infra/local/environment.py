"""The virtual environment of a checkout, with the extras of pyproject.toml that are named.

    python3 infra/local/environment.py local dev

Nothing is done when they are there already. It runs before anything is installed.
"""

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
INSTALLED = VENV / "installed.json"


def main(extras: list[str]) -> str | None:
    """What went wrong, if anything did."""
    requirements = _requirements()
    wanted = {extra: _digest(requirements[extra]) for extra in extras}
    installed = _installed()
    if PYTHON.exists() and wanted.items() <= installed.items():
        return None
    kept = {extra: digest for extra, digest in installed.items() if extra in requirements}
    return _install(requirements, sorted(kept.keys() | wanted.keys()))


def _requirements() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    return extras


def _digest(requirements: list[str]) -> str:
    return hashlib.sha256(json.dumps(requirements).encode()).hexdigest()


def _installed() -> dict[str, str]:
    try:
        digests: dict[str, str] = json.loads(INSTALLED.read_text())
    except (OSError, ValueError):
        return {}
    return digests


def _install(requirements: dict[str, list[str]], extras: list[str]) -> str | None:
    sys.stderr.write(f"Setting up {VENV} with Python {sys.version.split()[0]}\n")
    if not PYTHON.exists() and subprocess.call([sys.executable, "-m", "venv", str(VENV)]):
        return "No virtual environment could be made. On Debian: apt install python3-venv"
    packages = sorted({package for extra in extras for package in requirements[extra]})
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.call(pip + packages, stdout=sys.stderr):
        return "The packages could not be installed; the reason is above."
    INSTALLED.write_text(json.dumps({extra: _digest(requirements[extra]) for extra in extras}))
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
