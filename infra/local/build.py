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

from infra.local import installer
from infra.local.environment import uv
from infra.local.errors import Unable
from infra.local.progress import say

KEPT_SECONDS = 14 * 24 * 3600
_UNFINISHED = "unfinished."
_NOT_SOURCES = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


class BuildFailed(Unable):
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
        folders = {each: into / f"{each.logical_id}-{hashes[each.source]}" for each in artifacts}
        new = [each for each in artifacts if not folders[each].exists()]
        if new:
            say(f"Building {len(new)} of {len(artifacts)} functions and layers")
        list(workers.map(lambda each: _build(each, folders[each]), new))
        _prune(into, list(folders.values()))
    return {each.logical_id: folder for each, folder in folders.items()}


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


def _build(artifact: Artifact, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=_UNFINISHED) as unfinished:
        folder = Path(unfinished) / target.name
        _make(artifact, folder)
        folder.rename(target)


def _prune(into: Path, used: list[Path]) -> None:
    """Remove what no stack has started with for days; one that runs uses its layer in place."""
    for folder in used:
        os.utime(folder)
    for folder in into.glob("*-*"):
        if folder.stat().st_mtime < time.time() - KEPT_SECONDS:
            shutil.rmtree(folder)
    for folder in into.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(folder)


def _make(artifact: Artifact, folder: Path) -> None:
    """Build without the network if what is needed was downloaded before."""
    if _run_make(artifact, folder, {"UV_OFFLINE": "1"}).returncode:
        shutil.rmtree(folder, ignore_errors=True)
        result = _run_make(artifact, folder, installer.index_settings())
        if result.returncode:
            otherwise = f"{artifact.logical_id} could not be built."
            raise BuildFailed(installer.explain(result.stdout + result.stderr, otherwise))


def _run_make(
    artifact: Artifact, folder: Path, settings: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [
            "make",
            f"--directory={artifact.source}",
            "--no-print-directory",
            f"build-{artifact.logical_id}",
            f"ARTIFACTS_DIR={folder}",
            f"PYTHON={sys.executable}",
            f"UV={uv() or ''}",
            "PLATFORM=",
        ],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
