"""Runbooks lead to pages that there are, and name commands that there are."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.monitoring.promtool import ROOT, alerts
from typer.testing import CliRunner

from edworkers.cli.app import app

PAGES = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
_STYLE = re.compile(r"\x1b\[[0-9;]*m")  # as where PY_COLORS is set
_COMMAND = re.compile(r"^(?:alias )?ew ([a-z][^#|\n]*)|`ew ([^`]+)`", re.MULTILINE)


def slugs(page: Path) -> set[str]:
    """Give the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def commands(page: Path) -> Iterator[list[str]]:
    for found in _COMMAND.finditer(page.read_text("utf-8")):
        yield shlex.split(found[1] or found[2])


@cache
def help_of(*words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert done.exit_code == 0, (words, done.output)
    return _STYLE.sub("", done.output)


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_every_link_leads_somewhere(page: Path) -> None:
    for path, anchor in _LINK.findall(page.read_text("utf-8")):
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), path
        assert not anchor or anchor in slugs(target), (path, anchor)


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_every_command_of_edworkers_is_one_with_these_options(page: Path) -> None:
    for words in commands(page):
        name = words[:2] if words[0] in {"dead", "ledger", "mail"} else words[:1]
        said = help_of(*name)
        assert all(word in said for word in words if word.startswith("--")), words


def test_commands_are_found_in_runbooks() -> None:
    found = [" ".join(words) for page in PAGES for words in commands(page)]
    assert {"queues ai", "dead replay ai --all --yes", "resume ai"} <= set(found)


def test_the_list_of_runbooks_has_every_alert_with_its_severity() -> None:
    text = (ROOT / "docs" / "runbooks" / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| (\w+) \|", text, re.MULTILINE)
    assert dict(rows) == {name: rule["labels"]["severity"] for name, rule in alerts().items()}
