"""The pinned dependencies: all of them, with hashes, and from no index in particular."""

import itertools
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "requirements.txt", *sorted((ROOT / "requirements").glob("*.txt"))]
OF_IMAGES = {
    "documents": ("ai", "webhook", "scheduled"),
    "runner": ("ai", "webhook", "email", "database", "server", "otel"),
    "operator": ("operator",),
}
"""Each image, and the extras that are in it."""
PEERS = ROOT / "bench" / "peers"
OF_PEERS = sorted((PEERS / "requirements").glob("*.txt"))
"""Those of the systems that the benchmark measures beside this one."""
OTHERS = {"build", "moto", "plots"}
"""What builds the package; the server in place of S3, and what draws, which have environments of their own."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
PIN = re.compile(r"([a-z0-9-]+)==([^\s;]+)( ; [^\\]+)?((\s+--hash=sha256:[0-9a-f]{64})+)")


def logical_lines(text: str) -> list[str]:
    """Give the lines of a requirements file with those put together that a backslash continues."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: Iterable[str]) -> set[str]:
    """Name the packages that requirements ask for."""
    found = (NAME.match(requirement) for requirement in requirements)
    return {normal(match[0]) for match in found if match is not None}


def versions(file: Path) -> set[str]:
    """Give the pins with their hashes, but not where they apply: who asks for more asks for it in more places."""
    return {re.sub(r" ; [^\\]+?(?=\s+--hash)", "", line) for line in pins(file)}


def pins(file: Path) -> list[str]:
    return [line.rstrip() for line in logical_lines(file.read_text(encoding="utf-8"))]


PINS = pins(ROOT / "requirements.txt")
EXTRAS = PROJECT["project"]["optional-dependencies"]
TO_BUILD = PROJECT["build-system"]["requires"]


def asked_by(extra: str) -> list[str]:
    """List what an extra asks for, be it by way of another."""
    asked: list[str] = []
    for requirement in EXTRAS[extra]:
        others = re.fullmatch(r"edworkers\[(.*)\]", requirement)
        asked += [found for other in others[1].split(",") for found in asked_by(other)] if others else [requirement]
    return asked


each_file = pytest.mark.parametrize("file", [*FILES, *OF_PEERS], ids=lambda file: f"{file.parent.name}/{file.name}")


@each_file
def test_every_package_is_pinned_to_one_version_with_its_hashes(file: Path) -> None:
    assert [line for line in pins(file) if not PIN.fullmatch(line)] == []
    assert names(pins(file)) & {"redis", "coredis", "hatchling", "moto", "matplotlib"}


@each_file
@pytest.mark.parametrize("word", ["index-url", "find-links", "://", "--pre", "-e ", "@ "])
def test_no_line_names_where_packages_come_from(file: Path, word: str) -> None:
    assert [line for line in file.read_text(encoding="utf-8").splitlines() if word in line] == []


def test_everything_that_the_project_asks_for_is_pinned() -> None:
    asked = itertools.chain(PROJECT["project"]["dependencies"], *EXTRAS.values(), TO_BUILD)
    assert names(asked) - {PROJECT["project"]["name"]} - names(PINS) == set()


def test_every_file_is_known() -> None:
    assert [file.stem for file in FILES[1:]] == sorted([*OF_IMAGES, *OTHERS])


def test_each_system_of_the_benchmark_has_its_list() -> None:
    programs = sorted(file.name.removesuffix("_peer.py") for file in PEERS.glob("*_peer.py"))
    assert [file.stem for file in OF_PEERS] == programs
    assert [file.stem for file in OF_PEERS if file.stem not in names(pins(file))] == []


@pytest.mark.parametrize("file", OF_PEERS, ids=lambda file: file.stem)
def test_such_a_list_has_what_is_asked_for(file: Path) -> None:
    asked = file.with_suffix(".in").read_text(encoding="utf-8").split()
    assert names(asked) - names(pins(file)) == set()


@pytest.mark.parametrize("image", [*OF_IMAGES, "build"])
def test_an_image_has_the_very_packages_that_are_developed_with(image: str) -> None:
    assert versions(ROOT / "requirements" / f"{image}.txt") - versions(ROOT / "requirements.txt") == set()


@pytest.mark.parametrize("image", OF_IMAGES)
def test_an_image_has_what_its_extras_ask_for(image: str) -> None:
    asked = itertools.chain(PROJECT["project"]["dependencies"], *(asked_by(extra) for extra in OF_IMAGES[image]))
    assert names(asked) - names(pins(ROOT / "requirements" / f"{image}.txt")) == set()


@pytest.mark.parametrize("image", OF_IMAGES)
def test_no_image_has_what_only_developing_or_building_needs(image: str) -> None:
    assert {"pytest", "ruff", "hatchling", "pip", "setuptools"} & names(
        pins(ROOT / "requirements" / f"{image}.txt")
    ) == set()


def test_what_builds_the_package_is_pinned() -> None:
    assert names(TO_BUILD) - names(pins(ROOT / "requirements" / "build.txt")) == set()


def test_the_server_in_place_of_s3_stays_out_of_what_is_developed_with() -> None:
    assert "moto" not in names(PINS)
    assert names(pins(ROOT / "requirements" / "moto.txt")) >= {"moto", "boto3", "flask"}
