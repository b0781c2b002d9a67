"""Users of Redis: what their rights are made of."""

import ast
import inspect
import sys
import textwrap
from importlib.resources import files

import pytest

from edworkers.adapters.redis import queue
from edworkers.adapters.redis.acl import OF_KEEPERS
from edworkers.ports import KeptQueue

LUA = files("edworkers.adapters.redis") / "lua"
SCRIPTS = {path.name.removesuffix(".lua") for path in LUA.iterdir()}
VERBS = sorted(name for name, member in vars(KeptQueue).items() if inspect.isfunction(member) and name[0] != "_")
"""All that a keeper asks of a queue."""


def nodes_of(source: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(textwrap.dedent(source))))


def scripts_of(verb: str) -> set[str]:
    """Find the scripts that are named by a verb of the queue, and by the files from which it calls functions."""
    source = inspect.getsource(getattr(queue.RedisQueue, verb))
    called = [getattr(queue, node.id, None) for node in nodes_of(source) if isinstance(node, ast.Name)]
    modules = {found.__module__ for found in called if inspect.isfunction(found)} - {queue.__name__}
    sources = [source, *(inspect.getsource(sys.modules[name]) for name in modules)]
    constants = [node.value for each in sources for node in nodes_of(each) if isinstance(node, ast.Constant)]
    return SCRIPTS & {value for value in constants if isinstance(value, str)}


def test_scripts_are_found_in_the_files_to_which_a_queue_passes_its_work_on() -> None:
    assert "sort" in VERBS
    assert scripts_of("sort") == {"unsorted", "sort"}
    assert scripts_of("repair") >= {"repair", "repair_lines", "free"}


@pytest.mark.parametrize("verb", VERBS)
def test_every_script_that_a_keeper_runs_is_among_those_its_rights_are_made_of(verb: str) -> None:
    assert scripts_of(verb)
    assert scripts_of(verb) <= set(OF_KEEPERS)
