"""Everything that is installed is pinned, with hashes, by files that agree with each other."""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.local.environment import PINS, ROOT, read_pins

LAYER = ROOT / "layers" / "common"
FILES = {
    "installer": PINS / "installer.txt",
    "local": PINS / "local.txt",
    "dev": PINS / "dev.txt",
    "mutants": PINS / "mutants.txt",
    "layer": LAYER / "requirements.txt",
}


@cache
def pinned(group: str) -> dict[str, set[str]]:
    """The versions of each package, of which another Python may need another one."""
    found: dict[str, set[str]] = {}
    for requirement, _ in blocks(group):
        found.setdefault(requirement.name, set()).add(str(requirement.specifier))
    return found


def blocks(group: str) -> Iterator[tuple[Requirement, list[str]]]:
    """Each requirement, and its hashes."""
    text = re.sub(r"^ *#.*\n", "", FILES[group].read_text(), flags=re.MULTILINE)
    for line in text.replace("\\\n", "").splitlines():
        requirement, *hashes = line.split(" --hash=")
        yield Requirement(requirement.strip()), [each.strip() for each in hashes]


def declared(group: str) -> Iterator[Requirement]:
    """What pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    if group != "installer":
        yield from map(Requirement, project["project"]["dependencies"])
    for entry in project["dependency-groups"].get(group, []):
        yield from _of(entry)


def _of(entry: Any) -> Iterator[Requirement]:
    if isinstance(entry, str):
        yield Requirement(entry)
    else:
        yield from declared(entry["include-group"])


@pytest.mark.parametrize("group", FILES)
def test_every_pin_is_of_one_version_and_has_hashes(group: str) -> None:
    for requirement, hashes in blocks(group):
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier))
        assert hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes)


@pytest.mark.parametrize("group", FILES)
def test_no_pin_names_where_it_comes_from(group: str) -> None:
    assert not re.search(r"://|--index|--extra|--find-links| @ ", FILES[group].read_text())


@pytest.mark.parametrize("group", FILES)
def test_what_pyproject_names_is_pinned_at_that_version(group: str) -> None:
    named = {canonicalize_name(each.name): {str(each.specifier)} for each in declared(group)}
    assert named
    assert {name: pinned(group).get(name) for name in named} == named, "run `make pins`"


@pytest.mark.parametrize("group", ["local", "layer"])
def test_a_smaller_set_agrees_with_the_whole(group: str) -> None:
    assert pinned(group).items() <= pinned("dev").items()


def test_the_layers_packages_are_in_the_environment_too() -> None:
    """So they are downloaded once, and a layer is built offline from then on."""
    assert pinned("layer").items() <= pinned("local").items()


def test_the_environment_has_what_is_pinned() -> None:
    wanted = [each for each, _ in blocks("dev") if not each.marker or each.marker.evaluate()]
    assert {each.name: f"=={version(each.name)}" for each in wanted} == {
        each.name: str(each.specifier) for each in wanted
    }


def test_the_pins_that_are_counted_are_those_of_the_file() -> None:
    elsewhere = {each.name for each, _ in blocks("dev") if "win32" in str(each.marker)}
    assert read_pins("dev").keys() | elsewhere == pinned("dev").keys()
