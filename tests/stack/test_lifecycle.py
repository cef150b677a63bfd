"""Starting, ending, starting again, and what is said when that is not possible."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import jwt
import pytest

from infra.local.errors import Unable
from infra.local.people import ANA
from infra.local.processes import Identity, wait_until
from infra.local.stack import token
from infra.local.state import State, StateUnusable
from infra.local.stripe_account import KeyRefused, choose
from tests.stack.running import ROOT, Folder, NotStarted, Stack
from tests.waiting import PATIENCE_SECONDS

LISTENING = "0A"
LOOPBACK = "0100007F"
ITEM = {"pk": {"S": "kept"}, "sk": {"S": "kept"}}


@dataclass(frozen=True)
class Restarted:
    before: Stack
    after: Stack
    token: str
    ended: list[Identity]


@pytest.fixture(scope="module")
def folder() -> Iterator[Folder]:
    """Where the stack of this module starts and ends several times."""
    folder = Folder(Path(tempfile.mkdtemp(prefix="billing-kept-")))
    yield folder
    folder.down()
    shutil.rmtree(folder.path)


@pytest.fixture(scope="module")
def restarted(folder: Folder) -> Restarted:
    """A stack with an item in its table, after it was ended and started on another port."""
    before = folder.up()
    table = before.outputs["TableName"]
    before.client("dynamodb").put_item(TableName=table, Item=ITEM)
    token = before.token()
    first = processes(folder)
    folder.down()
    make_schedules_due(folder)
    after = folder.up()
    sys.stderr.write(f"\na second start took {after.start_seconds:.1f} s\n")
    return Restarted(before, after, token, first)


@pytest.fixture(scope="module")
def killed(folder: Folder, restarted: Restarted) -> list[Identity]:
    """The processes of a stack whose first one was killed."""
    supervisor, *others = processes(folder)
    os.kill(supervisor.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        wait_until(lambda: ended(others), PATIENCE_SECONDS)
    return others


def processes(folder: Folder) -> list[Identity]:
    """The processes of the stack, its first one first, and all of theirs."""
    noted = json.loads((folder.path / "running.json").read_text())["processes"]
    found = [each["pid"] for each in noted]
    parents = {pid: _parent(pid) for pid in _pids()}
    while more := [pid for pid, parent in parents.items() if parent in found and pid not in found]:
        found += more
    return [identity for pid in found if (identity := Identity.of(pid))]


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return None


def listening_addresses(pids: set[int]) -> set[str]:
    """Where processes listen, as /proc/net/tcp writes addresses."""
    sockets = set()
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            sockets.add(os.readlink(handle).removeprefix("socket:").strip("[]"))
    found = set()
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == LISTENING and fields[9] in sockets:
                found.add(fields[1].rsplit(":")[0])
    return found


def make_schedules_due(folder: Folder) -> None:
    """Let the rules of a stack that is down be an hour old, since their clock starts with them."""
    file = folder.path / "aws" / "services" / "eventbridge.json"
    schedule = '"ScheduleExpression": "rate('
    due = f'"CreationTime": {time.time() - 3600}, {schedule}'
    file.write_text(file.read_text().replace(schedule, due))


def ended(identities: list[Identity]) -> bool:
    return not any(identity.alive for identity in identities)


def test_nothing_listens_outside_loopback(stack: Stack) -> None:
    assert listening_addresses({each.pid for each in processes(stack.folder)}) == {LOOPBACK}


def test_a_second_stack_on_the_same_folder_is_refused(stack: Stack) -> None:
    with pytest.raises(NotStarted, match=f"is up on .* already at {stack.api}"):
        stack.folder.up()


def test_the_makefiles_token_is_of_the_same_person_as_signing_in_gives(stack: Stack) -> None:
    given = stack.folder.command("token", ACCOUNT="acme", ROLE="manager", EMAIL="ana@acme.test")
    claims = jwt.decode(given.stdout.strip(), options={"verify_signature": False})
    assert ANA.claims.items() <= claims.items()


def test_ending_leaves_no_process(restarted: Restarted) -> None:
    assert len(restarted.ended) >= 5
    assert ended(restarted.ended)


def test_what_was_done_is_there_after_a_restart(restarted: Restarted) -> None:
    table = restarted.after.outputs["TableName"]
    found = restarted.after.client("dynamodb").get_item(TableName=table, Key=ITEM)
    assert found["Item"] == ITEM


def test_a_token_stays_valid_over_a_restart(restarted: Restarted) -> None:
    headers = {"authorization": f"Bearer {restarted.token}"}
    answer = httpx.get(f"{restarted.after.api}/catalog", headers=headers)
    assert answer.status_code == 200


def test_webhooks_follow_the_page_to_another_port(restarted: Restarted) -> None:
    after = restarted.after
    key = ("sk_test_sandbox", "")
    endpoints = httpx.get(f"{after.stripe}/v1/webhook_endpoints", auth=key).json()["data"]
    assert restarted.before.api != after.api
    assert [each["url"] for each in endpoints] == [f"{after.api}/webhooks/stripe"]


def test_a_schedule_that_is_due_runs_its_function(restarted: Restarted) -> None:
    log = restarted.after.folder.path / "logs" / "functions.log"
    wait_until(lambda: "ReconcileFunction" in log.read_text(), PATIENCE_SECONDS)


def test_no_process_outlives_a_stack_that_was_killed(killed: list[Identity]) -> None:
    assert len(killed) >= 4
    assert ended(killed)


@pytest.mark.usefixtures("killed")
def test_ctrl_c_ends_every_process_also_after_a_crash(folder: Folder) -> None:
    folder.down()
    assert ended(processes_of_a_run(folder, os.killpg, signal.SIGINT))


@pytest.mark.usefixtures("killed")
def test_a_terminal_that_vanishes_ends_every_process(folder: Folder) -> None:
    folder.down()
    assert ended(processes_of_a_run(folder, os.kill, signal.SIGKILL))


def processes_of_a_run(
    folder: Folder, kill: Callable[[int, int], None], number: signal.Signals
) -> list[Identity]:
    """What `make run` started, after the signal and some time to end."""
    with folder.run() as make:
        wait_until((folder.path / "stack.json").exists, PATIENCE_SECONDS)
        started = processes(folder)
        kill(make.pid, number)
        assert "is kept in" in make.communicate(timeout=PATIENCE_SECONDS)[0]
    # Its output is closed a moment before a process is gone.
    with suppress(TimeoutError):
        wait_until(lambda: ended(started), PATIENCE_SECONDS)
    return started


@pytest.mark.usefixtures("killed")
def test_what_was_saved_survives_the_sudden_end_of_every_process(folder: Folder) -> None:
    folder.down()
    before = folder.up()
    table, row = before.outputs["TableName"], {**ITEM, "sk": {"S": "acknowledged"}}
    customer = httpx.post(f"{before.stripe}/v1/customers", auth=("sk_test_sandbox", ""))
    before.client("dynamodb").put_item(TableName=table, Item=row)
    saved = folder.path / "aws" / "services" / "dynamodb.json"
    wait_until(lambda: "acknowledged" in saved.read_text(), PATIENCE_SECONDS)
    for each in processes(folder):
        os.kill(each.pid, signal.SIGKILL)
    after = folder.up()
    found = after.client("dynamodb").get_item(TableName=table, Key=row)
    assert found["Item"] == row
    known = f"{after.stripe}/v1/customers/{customer.json()['id']}"
    assert httpx.get(known, auth=("sk_test_sandbox", "")).status_code == 200


def test_only_its_owner_may_read_the_state(restarted: Restarted) -> None:
    folder = restarted.after.folder.path
    kept = [each for each in folder.rglob("*") if "runtime" not in each.parts]
    assert len(kept) > 20
    readable = [each for each in (folder, *kept) if each.stat().st_mode & 0o077]
    assert readable == []


def test_what_others_could_read_before_is_made_private(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.claim()
    state.settle("the sandbox", 8080)
    state.release()
    for each in (state.folder, state.folder / "state.json"):
        each.chmod(0o755)
    state.claim()
    modes = [each.stat().st_mode & 0o077 for each in (state.folder, state.folder / "state.json")]
    state.release()
    assert modes == [0, 0]


@pytest.mark.usefixtures("killed")
def test_only_what_lasts_is_left_in_the_folder(folder: Folder) -> None:
    folder.down()
    left = {entry.name for entry in folder.path.iterdir()}
    assert left == {"aws", "issuer.pem", "lock", "logs", "runtime", "state.json", "stripe.sqlite3"}


def test_a_taken_port_is_named_with_who_holds_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = Folder(tmp_path / "state").command("run", PORT=str(port))
    assert result.returncode == 1
    assert f"Port {port} is taken by" in result.stderr
    assert f"(process {os.getpid()})" in result.stderr
    assert f"PORT={port + 1}" in result.stderr


def test_what_a_background_start_says_is_shown_where_errors_are(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = Folder(tmp_path / "state").command("up", PORT=str(port))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Port {port} is taken by")
    assert result.stderr.endswith("The stack did not start; the reason is above.\n")


def test_a_start_says_what_it_does(stack: Stack) -> None:
    said = (stack.folder.path / "logs" / "stack.log").read_text().splitlines()
    assert said[0] == "Starting MiniStack, the sign-in provider, the Stripe sandbox"
    assert "Deploying the template" in said


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"STRIPE_API_KEY": "sk_live_1"}, "is a live key"),
        ({"STRIPE_API_KEY": "rk_live_1"}, "is a live key"),
        ({"STRIPE_API_KEY": "pk_test_1"}, "is no test key"),
        ({"STRIPE_API_KEY": "sk_test_1"}, "stripe listen"),
    ],
)
def test_only_a_test_key_with_its_webhook_secret_is_taken(
    environment: dict[str, str], said: str
) -> None:
    with pytest.raises(KeyRefused, match=said):
        choose(environment)


def test_with_a_test_key_the_stack_talks_to_stripe() -> None:
    given = {"STRIPE_API_KEY": "sk_test_1", "STRIPE_WEBHOOK_SECRET": "whsec_1"}
    chosen = choose(given)
    assert (chosen.base(4242), chosen.key) == ("https://api.stripe.com", "sk_test_1")


def test_a_file_is_no_folder_for_a_state(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("mine")
    with pytest.raises(StateUnusable, match="is a file. Name a folder"):
        State(tmp_path / "state").check()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    for refused in (State(tmp_path).check, State(tmp_path).reset):
        with pytest.raises(StateUnusable, match="is no state folder of this stack"):
            refused()
    assert (tmp_path / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("marker", ['{"format": 0, "ministack": "1.0.0"}', "not json", "[]"])
def test_a_stale_folder_is_refused_with_a_way_out(tmp_path: Path, marker: str) -> None:
    (tmp_path / "state.json").write_text(marker)
    with pytest.raises(StateUnusable, match="RESET=1 starts anew"):
        State(tmp_path).check()
    State(tmp_path).reset()
    State(tmp_path).check()


@pytest.mark.parametrize("file", ["aws/services/dynamodb.json", "stripe.sqlite3"])
def test_a_damaged_file_is_named(tmp_path: Path, file: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text("{ damaged")
    with pytest.raises(StateUnusable, match=f"{file} cannot be read"):
        State(tmp_path).check()


def test_a_folder_used_with_the_sandbox_is_not_mixed_with_stripe(tmp_path: Path) -> None:
    State(tmp_path).settle("the sandbox", 8080)
    State(tmp_path).publish({}, "the sandbox")
    with pytest.raises(StateUnusable, match="it knows customers of the sandbox"):
        State(tmp_path).settle("Stripe's test mode", 8080)


def test_ports_stay_the_same_while_they_are_free(tmp_path: Path) -> None:
    before = State(tmp_path).settle("the sandbox", 8080)
    assert State(tmp_path).settle("the sandbox", 8080) == before
    with socket.create_server(("127.0.0.1", before["aws"])):
        after = State(tmp_path).settle("the sandbox", 8080)
    assert after["aws"] != before["aws"]


def test_an_operators_token_needs_no_role(stack: Stack) -> None:
    given = stack.folder.command("token", ROLE="", SCOPE="billing.support", EMAIL="o@x.test")
    claims = jwt.decode(given.stdout.strip(), options={"verify_signature": False})
    assert "billing.support" in claims["scope"].split()
    assert not claims.get("role")


def test_a_token_needs_a_stack_that_was_up_once(tmp_path: Path) -> None:
    with pytest.raises(Unable, match="No stack was ever up"):
        token(State(tmp_path), {})


def test_a_python_that_is_missing_or_too_old_is_named(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    for python in (old, tmp_path / "nowhere"):
        command = ["make", "run", f"PYTHON={python}"]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert result.returncode != 0
        assert f"Python 3.11 or newer is needed: {python} is older or not there" in result.stderr
