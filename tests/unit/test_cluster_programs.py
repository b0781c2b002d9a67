"""The test cluster's programs: when they are built again, and from what."""

import dataclasses
import re
from pathlib import Path

import pytest

import places
import programs
import toolchain


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> programs.Module:
    monkeypatch.setattr(places, "MODULES", tmp_path)
    source = tmp_path / "hello"
    source.mkdir()
    for name in ("go.mod", "go.sum", "main.go"):
        (source / name).write_text(f"// {name}\n")
    return programs.Module("hello", "1", {"hello": "."})


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "main.go", "another.go"])
def test_a_program_is_built_again_when_anything_it_is_made_of_changes(module: programs.Module, name: str) -> None:
    before = module.key()
    (module.source / name).write_text("// changed\n")
    assert module.key() != before


def test_a_program_is_built_again_when_the_linker_sets_something_else(module: programs.Module) -> None:
    assert dataclasses.replace(module, variables={"main.version": "2"}).key() != module.key()


def test_a_program_is_not_built_again_for_what_does_not_get_into_it(module: programs.Module) -> None:
    before = module.key()
    (module.source / "README.md").write_text("read me\n")
    assert module.key() == before


@pytest.mark.parametrize("module", [*programs.OF_THE_HOST, programs.KIND], ids=lambda module: module.name)
def test_the_version_that_is_told_is_the_one_that_is_required(module: programs.Module) -> None:
    required = (module.source / "go.mod").read_text()
    if module.name != "pause":
        assert re.search(rf"/\S+ v?{re.escape(module.version.removeprefix('v'))}\b", required)


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26)),
        ("go version go1.19 linux/arm64", (1, 19)),
        ("go version devel go1.27-abc", (1, 27)),
        ("go: not found", ()),
    ],
)
def test_the_version_of_go_is_read_from_what_it_says(said: str, version: tuple[int, ...]) -> None:
    assert toolchain.parse_version(said) == version
