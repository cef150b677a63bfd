"""Building folders by makefiles, as the local stack does it."""

import subprocess
from pathlib import Path

import pytest

from infra.local.build import Artifact, BuildFailed, build
from infra.local.environment import ROOT


@pytest.fixture
def layer(tmp_path: Path) -> Artifact:
    (tmp_path / "source").mkdir()
    return Artifact("Layer", tmp_path / "source")


def recipe(layer: Artifact, *lines: str) -> None:
    text = "\n\t".join(["build-Layer:", 'mkdir -p "$(ARTIFACTS_DIR)"', *lines, ""])
    (layer.source / "Makefile").write_text(text)


def test_what_was_built_is_not_built_again(
    layer: Artifact, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe(layer, 'echo once > "$(ARTIFACTS_DIR)/file"')
    first = build([layer], tmp_path / "built")
    assert (first["Layer"] / "file").read_text() == "once\n"
    assert capsys.readouterr().err == "Building 1 of 1 functions and layers\n"
    assert build([layer], tmp_path / "built") == first
    assert capsys.readouterr().err == ""


def test_the_network_is_used_only_if_it_has_to_be(layer: Artifact, tmp_path: Path) -> None:
    tried = tmp_path / "tried"
    recipe(layer, f'echo "$(UV_OFFLINE)" >> {tried}', 'test -z "$(UV_OFFLINE)"')
    build([layer], tmp_path / "built")
    assert tried.read_text() == "1\n\n"


def test_a_failed_build_is_explained_and_shown(layer: Artifact, tmp_path: Path) -> None:
    recipe(layer, "cat /proc/version > /dev/full")
    with pytest.raises(BuildFailed, match=r"(?s)^The disk is full\..*No space left on device"):
        build([layer], tmp_path / "built")
    recipe(layer, "echo it broke; false")
    with pytest.raises(BuildFailed, match=r"(?s)^Layer could not be built\..*it broke"):
        build([layer], tmp_path / "built")


def test_what_a_killed_build_left_is_removed(layer: Artifact, tmp_path: Path) -> None:
    left = tmp_path / "built" / "unfinished.xyz"
    left.mkdir(parents=True)
    recipe(layer, 'echo > "$(ARTIFACTS_DIR)/file"')
    build([layer], tmp_path / "built")
    assert not left.exists()


def commands(folder: str, target: str, *settings: str) -> str:
    """What make would do."""
    command = ["make", "--dry-run", f"--directory={ROOT / folder}", target, "ARTIFACTS_DIR=/there"]
    return subprocess.run([*command, *settings], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("settings", [[], ["UV=/a/uv"]])
def test_sam_builds_the_layer_by_pip_for_lambda(settings: list[str]) -> None:
    done = commands("layers/common", "build-CommonLayer", *settings)
    assert "python3.13 -m pip install" in done
    assert "--platform manylinux2014_aarch64" in done
    assert "--require-hashes" in done
    assert "compileall" in done


@pytest.mark.parametrize("uv", ["/a/uv", ""])
def test_the_local_stack_builds_the_layer_by_uv_if_there_is_one(uv: str) -> None:
    settings = ("PLATFORM=", "PYTHON=py", f"UV={uv}")
    done = commands("layers/common", "build-CommonLayer", *settings)
    assert ('"/a/uv" pip install --python "py"' if uv else "py -m pip install") in done
    assert "--require-hashes" in done
    assert "--platform" not in done
    assert "compileall" not in done


def test_functions_get_bytecode_where_none_can_be_written() -> None:
    assert "compileall" in commands("functions", "build-OverviewFunction")
    assert "compileall" not in commands("functions", "build-OverviewFunction", "PLATFORM=")
