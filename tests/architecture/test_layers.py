"""What may be imported where, beyond the layers that import-linter checks."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "runner" / "edworkers" / "core"
IMPURE = {
    *("asyncio", "threading", "subprocess", "multiprocessing", "signal", "socket", "ssl"),
    *("os", "io", "pathlib", "shutil", "tempfile", "time", "random", "secrets", "logging"),
    *("redis", "structlog", "httpx2", "uvloop"),
}
CLOCKS = {"now", "utcnow", "today"}
HEAVY = ("google.genai", "google.auth", "httpx2", "uvicorn", "starlette", "anyio", "watchfiles")

START = """
import json, sys
from edworkers import pools
pools.make_pools([pools.find_spec("ai", {})], {"GEMINI_API_KEY": "key"})
print(json.dumps(list(sys.modules)))
"""


def impurities(source: str) -> set[str]:
    """Name what a module does that needs the outside world: imports, awaiting, looking at a clock, opening a file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names):
                found |= {alias.name.partition(".")[0] for alias in names} & IMPURE
            case ast.ImportFrom(module=str(module)):
                found |= {module.partition(".")[0]} & IMPURE
            case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                found.add("async")
            case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCKS:
                found.add(name)
            case ast.Call(func=ast.Name(id="open" | "print" | "input" as name)):
                found.add(name)
            case _:
                pass
    return found


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: path.stem)
def test_the_core_is_pure(path: Path) -> None:
    assert impurities(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("import os.path", "os"),
        ("from time import time", "time"),
        ("async def f(): ...", "async"),
        ("def f():\n    import random", "random"),
        ("datetime.now(UTC)", "now"),
        ("open('file')", "open"),
    ],
)
def test_what_is_not_pure_would_be_noticed(source: str, named: str) -> None:
    assert impurities(source) == {named}


def test_a_runner_of_the_ai_queue_starts_without_the_libraries_that_only_its_jobs_need() -> None:
    said = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True)
    loaded = json.loads(said.stdout)
    assert "edworkers" in loaded
    assert [name for name in HEAVY if name in loaded] == []
