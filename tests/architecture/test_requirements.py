"""The pinned dependencies: all of them, with hashes, and from no index in particular."""

import itertools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REQUIREMENTS = (ROOT / "requirements.txt").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
PIN = re.compile(r"([a-z0-9-]+)==([^\s;]+)( ; [^\\]+)?((\s+--hash=sha256:[0-9a-f]{64})+)")


def logical_lines(text: str) -> list[str]:
    """Give the lines of a requirements file with those put together that a backslash continues."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def asked_for() -> Iterator[str]:
    """Name every package that pyproject.toml asks for: to run, to develop and to build."""
    project = PROJECT["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values(), PROJECT["build-system"]["requires"]]
    for requirement in itertools.chain(*groups):
        name = NAME.match(requirement)
        assert name is not None
        yield normal(name[0])


PINS = logical_lines(REQUIREMENTS)


def test_every_package_is_pinned_to_one_version_with_its_hashes() -> None:
    assert [line for line in PINS if not PIN.fullmatch(line.rstrip())] == []
    assert "redis" in {line.partition("==")[0] for line in PINS}


@pytest.mark.parametrize("word", ["index-url", "find-links", "://", "--pre", "-e ", "@ "])
def test_no_line_names_where_packages_come_from(word: str) -> None:
    assert [line for line in REQUIREMENTS.splitlines() if word in line] == []


def test_everything_that_the_project_asks_for_is_pinned() -> None:
    pinned = {line.partition("==")[0] for line in PINS}
    assert set(asked_for()) - {PROJECT["project"]["name"]} - pinned == set()
