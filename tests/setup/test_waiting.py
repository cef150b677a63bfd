"""What a test run waits for is told at the terminal, and it waits long enough."""

import os

import httpx
import pytest

from tests import waiting


def test_what_tests_wait_for_is_told_past_their_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(waiting, "_terminal", [writing])
    with os.fdopen(reading) as told, waiting.waiting_for("the tide", every=0.01):
        assert [told.readline() for _ in range(2)] == ["\n", "Waiting for the tide (0 s)\n"]
    os.close(writing)


def test_a_quick_start_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(waiting, "_terminal", [writing])
    with waiting.waiting_for("the tide"):
        pass
    os.close(writing)
    with os.fdopen(reading) as told:
        assert told.read() == ""


def test_requests_of_tests_are_as_patient_as_starts() -> None:
    with httpx.Client() as client:
        assert client.timeout == httpx.Timeout(waiting.PATIENCE_SECONDS)
