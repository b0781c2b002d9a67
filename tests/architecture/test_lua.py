"""The Redis scripts: small, told at their head, and with every key declared, as Redis Cluster needs it."""

import re
from pathlib import Path

import pytest

LUA = Path(__file__).parents[2] / "runner" / "edworkers" / "adapters" / "redis" / "lua"
SCRIPTS = sorted(LUA.glob("*.lua"))
MOST_LINES = 80
HEAD = re.compile(r"(--[^\n]*\n)+")
LITERAL_KEY = re.compile(r"""redis\.p?call\(\s*['"]\w+['"]\s*,\s*['"]""")
INCLUDE = re.compile(r"^--@include (.+)$", re.MULTILINE)

every_script = pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)


def is_part(text: str) -> bool:
    return text.startswith("-- Part of ")


def test_the_scripts_are_found() -> None:
    assert "cycle" in {path.stem for path in SCRIPTS}


@every_script
def test_a_script_fits_on_a_screen(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@every_script
def test_a_script_tells_its_keys_and_its_arguments(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    head = HEAD.match(text)
    assert head is not None
    missing = [word for word in ("KEYS:", "ARGV:") if word not in head[0]]
    assert is_part(text) or missing == []


@every_script
def test_no_script_makes_a_key_of_its_own(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "edworkers:" not in text
    assert LITERAL_KEY.findall(text) == []


@pytest.mark.parametrize("call", ["redis.call('GET', 'mine')", 'redis.pcall( "DEL",\n  "mine:" .. id)'])
def test_a_key_in_quotes_would_be_noticed(call: str) -> None:
    assert LITERAL_KEY.search(call)


def test_every_part_is_included_by_a_script_and_nothing_else_is() -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in SCRIPTS}
    included = {name for text in texts.values() for line in INCLUDE.findall(text) for name in line.split()}
    assert included == {name for name, text in texts.items() if is_part(text)}
