"""Where things may lie, and what files may be called."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMELESS = re.compile(r"(^|[_-])(utils?|common|helpers?|managers?)([_-]|$)")
FOREIGN = {"node_modules", "dist", "results"}


def project_files() -> Iterator[Path]:
    """Every file of the project, relative to its root; not what is hidden or installed."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in FOREIGN and name[0] not in "._"]
        yield from (Path(folder, name).relative_to(ROOT) for name in files)


FILES = sorted(project_files())
MODULES = [path for path in FILES if path.suffix == ".py"]


def test_the_files_are_found() -> None:
    assert Path("runner/edworkers/compose.py") in MODULES
    assert Path("runner/edworkers/adapters/redis/lua/cycle.lua") in FILES


def test_no_file_or_folder_is_named_for_nothing_in_particular() -> None:
    parts = {(str(path), part.split(".")[0]) for path in FILES for part in path.parts}
    assert [path for path, part in sorted(parts) if NAMELESS.search(part)] == []


@pytest.mark.parametrize("name", ["utils", "common", "helpers", "manager", "redis_utils", "job_manager"])
def test_such_a_name_would_be_noticed(name: str) -> None:
    assert NAMELESS.search(name)


@pytest.mark.parametrize("folder", ["runner", "operator"])
def test_a_folder_of_packages_is_no_package_itself(folder: str) -> None:
    """An `operator/__init__.py` would take the place of the standard library's `operator`."""
    assert not (ROOT / folder / "__init__.py").exists()


def test_no_folder_of_tests_is_called_operator() -> None:
    assert [path for path in FILES if path.parts[0] == "tests" and "operator" in path.parts] == []


def test_every_module_says_what_it_is_for() -> None:
    ours = [path for path in MODULES if path.parts[0] != "tests"]
    assert [path for path in ours if not ast.get_docstring(ast.parse((ROOT / path).read_bytes()))] == []
