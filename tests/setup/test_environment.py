"""Setting up a checkout's environment, and what is said when that is not possible."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local.installer import InstallFailed, explain, require_space
from tests.setup.checkout import BASE_PYTHON, NO_NETWORK, Checkout, without_seconds

PYTHON_LINE = f"Setting up .venv with Python {sys.version.split()[0]}"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout.make(tmp_path)


@pytest.fixture
def with_uv(checkout: Checkout) -> Checkout:
    checkout.put_uv_on_path()
    return checkout


def test_a_second_set_up_has_nothing_to_do(with_uv: Checkout) -> None:
    first = with_uv.set_up()
    assert (first.status, first.said) == (0, f"{PYTHON_LINE}\nInstalling 1 package\n")
    assert with_uv.has_seed
    again = with_uv.set_up(**NO_NETWORK)
    assert (again.status, again.said) == (0, "")


def test_without_uv_on_path_pip_installs_it_into_the_environment(checkout: Checkout) -> None:
    outcome = checkout.set_up()
    said = [line for line in outcome.said.splitlines() if line != "Installing pip"]
    assert said == [PYTHON_LINE, "Installing uv", "Installing 1 package"]
    assert (checkout.venv / "bin" / "uv").exists()
    assert checkout.has_seed
    assert checkout.set_up(**NO_NETWORK).said == ""


def test_a_uv_on_path_that_does_not_run_is_left_alone(checkout: Checkout) -> None:
    checkout.put_uv_on_path("echo 'pyenv: uv: command not found' >&2; exit 127")
    assert checkout.set_up().status == 0
    assert (checkout.venv / "bin" / "uv").exists()
    assert checkout.has_seed


def test_changed_pins_are_installed(with_uv: Checkout) -> None:
    with_uv.set_up()
    with_uv.release("seedling", {"seedling.py": ""})
    with_uv.pin("local", "seedling")
    assert with_uv.set_up().said == "Installing 1 package\n"
    assert list(with_uv.venv.rglob("seedling.py"))


@pytest.mark.parametrize("package", ["uv", "seed"])
def test_a_package_that_is_not_the_pinned_one_is_refused(checkout: Checkout, package: str) -> None:
    checkout.release(package, {"other.py": "pass"})
    outcome = checkout.set_up()
    assert outcome.status == 1
    assert "differs from its pinned hash, so it was not installed" in outcome.said
    assert not list(checkout.venv.rglob("other.py"))


@pytest.mark.parametrize("is_first", [True, False])
def test_a_set_up_that_was_killed_is_done_again(with_uv: Checkout, is_first: bool) -> None:
    if not is_first:
        with_uv.release("seedling", {"seedling.py": ""})
        with_uv.pin("local", "seedling")
        with_uv.set_up()
        with_uv.pin("local", "seed")
    lays_half_of_it = 'real "$@"; /bin/rm "$VENV"/lib/*/site-packages/seed.*; kill -KILL $PPID\n'
    with_uv.put_uv_on_path(f"VENV='{with_uv.venv}'; {lays_half_of_it}")
    assert with_uv.set_up().status == -signal.SIGKILL
    assert not with_uv.has_seed
    with_uv.put_uv_on_path()
    assert with_uv.set_up().said == "Installing 1 package\n"
    assert with_uv.has_seed


def test_an_environment_that_somebody_else_made_is_not_relied_on(with_uv: Checkout) -> None:
    with_uv.set_up()
    (with_uv.venv / "installed.json").unlink()
    for left in with_uv.venv.rglob("seed.*"):
        left.unlink()
    assert with_uv.set_up().status == 0
    assert with_uv.has_seed


def test_an_installation_that_failed_does_not_spoil_what_is_there(with_uv: Checkout) -> None:
    with_uv.set_up()
    pins = with_uv.root / "infra" / "local" / "pins" / "local.txt"
    before = pins.read_text()
    with_uv.release("seedling", {"seedling.py": ""})
    with_uv.pin("local", "seedling")
    pins.write_text(before + pins.read_text())
    assert with_uv.set_up(**NO_NETWORK).status == 1
    pins.write_text(before)
    assert with_uv.set_up(**NO_NETWORK).said == ""


def test_two_set_ups_at_once_take_turns(with_uv: Checkout) -> None:
    with with_uv.command() as one, with_uv.command() as other:
        said = sorted(without_seconds(each.communicate()[1]) for each in (one, other))
    assert said == ["", f"{PYTHON_LINE}\nInstalling 1 package\n"]
    assert (one.returncode, other.returncode) == (0, 0)


@pytest.mark.parametrize("is_on_path", [True, False], ids=["uv", "pip"])
def test_without_a_network_the_index_is_named_as_silent(
    checkout: Checkout, is_on_path: bool
) -> None:
    if is_on_path:
        checkout.put_uv_on_path()
    outcome = checkout.set_up(**NO_NETWORK)
    assert outcome.status == 1
    sentence = outcome.said.index("The package index did not respond. Check the network")
    assert outcome.said.index("Connection refused") > sentence
    assert checkout.set_up().status == 0
    assert checkout.has_seed


def test_uv_installs_from_the_index_that_pips_file_names(with_uv: Checkout) -> None:
    configuration = with_uv.root / "pip.conf"
    configuration.write_text(f"[global]\nindex-url = {with_uv.index}\n")
    pip = {"PIP_CONFIG_FILE": str(configuration), "PIP_INDEX_URL": ""}
    assert with_uv.set_up(UV_DEFAULT_INDEX="", **pip).status == 0


def test_uv_installs_from_the_index_that_pips_variable_names(with_uv: Checkout) -> None:
    assert with_uv.set_up(UV_DEFAULT_INDEX="", PIP_INDEX_URL=with_uv.index).status == 0


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_uvs_own_index_comes_first(with_uv: Checkout, name: str) -> None:
    pip = NO_NETWORK["PIP_INDEX_URL"]
    own = {"UV_DEFAULT_INDEX": "", name: with_uv.index}
    assert with_uv.set_up(PIP_INDEX_URL=pip, UV_HTTP_RETRIES="0", **own).status == 0


@pytest.fixture
def no_room(with_uv: Checkout) -> Iterator[Callable[[], object]]:
    """A disk too small for the package; call it to make room.

    Only root may mount a small one. Others have a uv that writes to /dev/full.
    """
    with_uv.venv.mkdir()
    folder = str(with_uv.venv)
    small = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder]
    larger = ["mount", "-o", "remount,size=8m", folder]
    if os.geteuid() == 0 and subprocess.run(small, stderr=subprocess.DEVNULL).returncode == 0:
        yield lambda: subprocess.run(larger, check=True)
        subprocess.run(["umount", folder], check=True)
    else:
        with_uv.put_uv_on_path("exec /bin/cat /proc/version > /dev/full")
        yield with_uv.put_uv_on_path


def test_a_full_disk_is_named(with_uv: Checkout, no_room: Callable[[], object]) -> None:
    outcome = with_uv.set_up()
    assert outcome.status == 1
    sentence = outcome.said.index("The disk is full. Free some space")
    assert outcome.said.index("No space left on device") > sentence
    no_room()
    assert with_uv.set_up().status == 0
    assert with_uv.has_seed


def test_nothing_is_begun_that_would_fill_the_disk(tmp_path: Path) -> None:
    require_space(tmp_path, 1)
    sentence = r"The disk is nearly full: \d+ MB are needed in .*, and \d+ MB are left. Free"
    with pytest.raises(InstallFailed, match=sentence):
        require_space(tmp_path, 10**12)


def test_a_python_without_pip_and_without_ensurepip_is_named(checkout: Checkout) -> None:
    home = checkout.root / "home"
    outcome = checkout.set_up(PYTHONHOME=str(copy_without_pip(home)))
    assert outcome.status == 1
    assert "apt install python3-venv" in outcome.said
    assert "No module named ensurepip" in outcome.said
    assert checkout.set_up().status == 0


def copy_without_pip(home: Path) -> Path:
    """A standard library as Debian's is without the package python3-venv."""
    library = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}"
    (home / library).mkdir(parents=True)
    for entry in Path(sys.base_prefix, library).iterdir():
        if entry.name not in ("ensurepip", "site-packages", "dist-packages"):
            (home / library / entry.name).symlink_to(entry)
    return home


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        ("OSError: [Errno 28] No space left on device: '/x'", "The disk is full"),
        ("cause: Disk quota exceeded (os error 122)", "The disk is full"),
        ("cause: Hash mismatch for `six==1.17.0`", "differs from its pinned hash"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM", "differs from its pinned hash"),
        ("cause: dns error: failed to lookup address information", "did not respond"),
        ("Temporary failure in name resolution", "did not respond"),
        ("Packages were unavailable because the network was disabled", "did not respond"),
        ("ensurepip is not available", "apt install python3-venv"),
        ("error: unexpected argument", "could not be installed"),
    ],
)
def test_an_installers_error_follows_what_it_means(error: str, meaning: str) -> None:
    explained = explain(error)
    assert meaning in explained.splitlines()[0]
    assert explained.endswith(f"\n\n{error}")


def test_the_python_outside_the_environment_is_there() -> None:
    assert BASE_PYTHON.exists()
