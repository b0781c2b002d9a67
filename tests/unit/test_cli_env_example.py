"""`.env.example` names every variable that the code reads."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

from edworkers import pools
from edworkers.adapters.redis.address import redis_url
from edworkers.cli.run import process_count, run_options
from edworkers.handlers.registry import PLATFORM, concurrency_variable, find_module

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / ".env.example"
_SETTING = re.compile(r"(?:# )?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)=")
_LOOKS_LIKE_A_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
_WORDS_OF_GEMINI = ("handlers/ai/answer.py", "handlers/ai/errors.py", "standins/gemini.py")
_NOT_OURS = {
    "KEY_VALUES_MISMATCH",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "LC_ALL",
    "NO_PROXY",
    "PGCONNECT_TIMEOUT",
    "SAL_DISABLE_OPENCL",
    "SAL_USE_VCLPLUGIN",
}


def _named() -> dict[str, str]:
    """Each variable in the example with the line before it."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    return {found[1]: before for before, line in pairwise(lines) if (found := _SETTING.match(line))}


def _read() -> set[str]:
    """Every variable in the code: strings in capitals, and one for each queue."""
    constants = {
        node.value
        for path in (ROOT / "runner" / "edworkers").rglob("*.py")
        if not path.as_posix().endswith(_WORDS_OF_GEMINI)
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    found = {text for text in constants if _LOOKS_LIKE_A_VARIABLE.fullmatch(text)} - _NOT_OURS
    return found | {concurrency_variable(queue) for queue in PLATFORM}


def test_every_variable_that_is_read_is_named() -> None:
    assert {"REDIS_URL", "GEMINI_DAILY_LIMIT", "PM2_INSTANCES", "EDWORKERS_POOL"} <= _read()
    assert _read() - _named().keys() == set()


def test_nothing_is_named_that_is_not_read() -> None:
    assert _named().keys() - _read() == {"WEBHOOK_SECRET_SCHOOL"}


def test_each_has_a_line_of_comment_before_it() -> None:
    assert [name for name, before in _named().items() if not before.startswith("# ")] == []


def test_a_copy_of_it_changes_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _named():
        monkeypatch.delenv(name, raising=False)
    env = pools.read_environment(EXAMPLE)
    assert redis_url(env) == redis_url({})
    assert run_options(env) == run_options({})
    assert process_count(env, None) == 1
    for path in PLATFORM.values():
        pool = find_module(path).pool
        assert pools.make_pool(pools.find_spec(pool.queue, env), env).spec == pool
