"""The Lua scripts as they are sent: whole, and under the name that Redis gives them."""

import hashlib
import re
from importlib.resources import files

import pytest

from edworkers.adapters.redis.scripts import script

LUA = files("edworkers.adapters.redis") / "lua"
FILES = {path.name.removesuffix(".lua"): path.read_text(encoding="utf-8") for path in LUA.iterdir()}
INCLUDES = re.compile(r"^--@include (.+)$", re.MULTILINE)


def included(name: str) -> list[str]:
    return [part for match in INCLUDES.findall(FILES[name]) for part in match.split()]


def test_there_are_scripts_and_some_include_parts() -> None:
    assert {"cycle", "reap", "promote", "renew"} <= FILES.keys()
    assert "settle" in included("cycle")


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_script_holds_each_of_its_parts_once_and_no_directive(name: str) -> None:
    text = script(name).text
    assert "--@include" not in text
    assert all(text.count(FILES[part].strip()) == 1 for part in included(name))


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_script_is_otherwise_its_file(name: str) -> None:
    parts = INCLUDES.split(FILES[name])[::2]
    rest = script(name).text
    for part in parts:
        assert part in rest
        rest = rest.partition(part)[2]


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_name_of_a_script_is_the_digest_of_what_is_sent(name: str) -> None:
    made = script(name)
    assert made.sha == hashlib.sha1(made.text.encode("utf-8"), usedforsecurity=False).hexdigest()


def test_no_two_scripts_have_the_same_name_in_redis() -> None:
    assert len({script(name).sha for name in FILES}) == len(FILES)


def test_a_script_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        script("nothing")
