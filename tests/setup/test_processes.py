"""A start may take long on a busy machine; it fails at once only if it cannot succeed any more."""

import sys
from pathlib import Path

import pytest

from infra.local import progress
from infra.local.processes import Process, ProcessFailed

NOWHERE = "http://127.0.0.1:9/"


def test_a_process_that_ended_is_not_waited_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no room for me')"]
    process = Process("the door", command, tmp_path, tmp_path / "log", {})
    with pytest.raises(ProcessFailed, match="the door ended with 1.\nno room for me"):
        process.wait_until_ready(NOWHERE)


def test_a_start_that_takes_long_says_what_it_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0)
    command = [sys.executable, "-c", "import time; time.sleep(0.3)"]
    process = Process("the door", command, tmp_path, tmp_path / "log", {})
    with pytest.raises(ProcessFailed):
        process.wait_until_ready(NOWHERE)
    assert "Waiting for the door (0 s)\n" in capsys.readouterr().err
