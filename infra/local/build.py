"""Functions and layers as zip files, built by the makefiles that `sam build` calls.

What is built is named by the hash of what it is built from, so nothing is built twice.
"""

import fcntl
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_NOT_SOURCES = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


class BuildFailed(Exception):
    """A makefile ended with an error; the message holds what it wrote."""


@dataclass(frozen=True)
class Artifact:
    """What a makefile target puts together from a folder."""

    logical_id: str
    source: Path


def build(artifacts: list[Artifact], into: Path) -> Mapping[str, Path]:
    """The zip file of each artifact, by logical id. Raises BuildFailed."""
    into.mkdir(parents=True, exist_ok=True)
    with _alone(into / ".lock"), ThreadPoolExecutor(max_workers=2) as workers:
        hashes = {source: _hash(source) for source in {each.source for each in artifacts}}
        zips = workers.map(lambda each: _built(each, hashes[each.source], into), artifacts)
        return {each.logical_id: path for each, path in zip(artifacts, zips, strict=True)}


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
    target = into / f"{artifact.logical_id}-{source_hash}.zip"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=into) as folder:
            _make(artifact, Path(folder))
            _zip(Path(folder), target)
        for other in into.glob(f"{artifact.logical_id}-*.zip"):
            if other != target:
                other.unlink()
    return target


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


def _zip(folder: Path, target: Path) -> None:
    unfinished = target.with_suffix(".unfinished")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    unfinished.rename(target)
