"""Commands that work on a deployment's tables run from a fresh shell, with nothing but its name."""

import os
import subprocess
import sys

import pytest

from tests.stack.running import ROOT, Stack


def run(command: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"infra.{command}", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        ("check_ledger", (), "0 times something does not agree"),
        ("resync", ("--all",), "0 failed"),
    ],
)
def test_a_command_takes_its_settings_from_the_stack(
    stack: Stack, command: str, arguments: tuple[str, ...], said: str
) -> None:
    done = run(command, "--local", *arguments, STATE=str(stack.folder.path))
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout


def test_without_a_stack_a_command_says_what_to_do(stack: Stack) -> None:
    done = run("check_ledger", "--local", STATE="/nowhere")
    assert done.returncode == 2
    assert "No local stack is running. Start it: make up" in done.stderr
