"""Which version of edworkers this is."""

import tomllib
from pathlib import Path

from edworkers.core.version import own_version


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert own_version() == project["project"]["version"]


def test_what_is_not_installed_has_no_known_version() -> None:
    assert own_version("no-such-package-of-edworkers") == "unknown"
