"""Functions and layers as folders, built by the makefiles that `sam build` calls.

What is built is named by the hash of what it is built from, so nothing is built twice.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEPT_SECONDS = 14 * 24 * 3600
_NOT_SOURCES = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


class BuildFailed(Exception):
    """A makefile ended with an error; the message holds what it wrote."""


@dataclass(frozen=True)
class Artifact:
    """What a makefile target puts together from a folder."""

    logical_id: str
    source: Path


def build(artifacts: list[Artifact], into: Path) -> Mapping[str, Path]:
    """The folder of each artifact, by logical id. Raises BuildFailed."""
    into.mkdir(parents=True, exist_ok=True)
    with _alone(into / ".lock"), ThreadPoolExecutor(max_workers=2) as workers:
        hashes = {source: _hash(source) for source in {each.source for each in artifacts}}
        built = workers.map(lambda each: _built(each, hashes[each.source], into), artifacts)
        folders = {each.logical_id: path for each, path in zip(artifacts, built, strict=True)}
        _prune(into)
    return folders


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _hash(source: Path) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for file in sorted(source.rglob("*")):
        if file.is_file() and not _NOT_SOURCES.intersection(file.parts):
            digest.update(str(file.relative_to(source)).encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _built(artifact: Artifact, source_hash: str, into: Path) -> Path:
    target = into / f"{artifact.logical_id}-{source_hash}"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=into) as unfinished:
            folder = Path(unfinished) / target.name
            _make(artifact, folder)
            folder.rename(target)
    os.utime(target)
    return target


def _prune(into: Path) -> None:
    """Remove what no stack has started with for days; one that runs uses its layer in place."""
    for folder in into.glob("*-*"):
        if folder.stat().st_mtime < time.time() - KEPT_SECONDS:
            shutil.rmtree(folder)


def _make(artifact: Artifact, folder: Path) -> None:
    result = subprocess.run(
        [
            "make",
            f"--directory={artifact.source}",
            "--no-print-directory",
            f"build-{artifact.logical_id}",
            f"ARTIFACTS_DIR={folder}",
            f"PYTHON={sys.executable}",
            "PLATFORM=",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise BuildFailed(
            f"{artifact.logical_id} could not be built:\n{result.stdout}{result.stderr}"
        )
