"""How quickly commands begin, and what the shell can complete."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edworkers.cli.exits import ExitCode, epilog
from edworkers.handlers.registry import PLATFORM

HEAVY = "google httpx2 httpx uvicorn starlette standardwebhooks requests pydantic_settings"
_RUN = """
import sys
from edworkers.cli.report import run
try:
    code = run(sys.argv[1:])
except SystemExit as ended:
    code = ended.code
print(code, *sorted({name.partition('.')[0] for name in sys.modules} & set(%r.split())))
"""


def _edworkers(*words: str, folder: Path, code: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    begin = ["-c", code] if code else ["-m", "edworkers"]
    known = {"PATH": os.environ["PATH"], "REDIS_URL": "redis://127.0.0.1:1/0", "COLUMNS": "200", **env}
    return subprocess.run(
        [sys.executable, *begin, *words], env=known, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--help",), 0),
        (("status", "x"), 3),
        (("result", "ai", "x"), 3),
        (("queues",), 3),
        (("schema", "ai"), 0),
        (("enqueue", "ai", '{"conversationId":"c","userId":"u","prompt":"p"}'), 3),
    ],
    ids=lambda given: " ".join(given[:1]) if isinstance(given, tuple) else "",
)
def test_commands_begin_without_the_libraries_of_handlers(tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    ran = _edworkers(*words, folder=tmp_path, code=_RUN % HEAVY)
    assert ran.stdout.splitlines()[-1] == str(code)


def test_help_needs_not_even_redis(tmp_path: Path) -> None:
    ran = _edworkers("--help", folder=tmp_path, code=_RUN % "redis pydantic yaml structlog")
    assert ran.stdout.splitlines()[-1] == "0"


def test_help_tells_every_exit_code(tmp_path: Path) -> None:
    shown = _edworkers("--help", folder=tmp_path).stdout
    assert [code for code in ExitCode if f" {code.value}: " not in shown] == []


def test_every_exit_code_has_a_meaning_of_its_own() -> None:
    meanings = [code.__doc__ for code in ExitCode]
    assert len({*meanings}) == len(meanings)
    assert "- **0**: it was done" in epilog()


def test_the_version_is_told(tmp_path: Path) -> None:
    ran = _edworkers("--version", folder=tmp_path)
    assert (ran.returncode, ran.stdout.split()[0]) == (0, "edworkers")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_completion_can_be_shown(tmp_path: Path, shell: str) -> None:
    ran = _edworkers("--show-completion", shell, folder=tmp_path, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert ran.returncode == 0
    assert "_EDWORKERS_COMPLETE=complete_" in ran.stdout


def _complete(folder: Path, line: str, **env: str) -> list[str]:
    # As `edworkers --show-completion bash` has the shell ask.
    asked = {"_EDWORKERS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    return _edworkers(folder=folder, **asked, **env).stdout.split()


@pytest.mark.parametrize("command", ["enqueue", "pause", "cancel", "dead list", "dead replay", "schema", "status"])
def test_names_of_queues_are_completed(tmp_path: Path, command: str) -> None:
    assert _complete(tmp_path, f"edworkers {command} w") == ["webhook"]


def test_names_of_own_queues_are_completed(tmp_path: Path) -> None:
    own = '{"queue":"own","handlers":"x"}'
    assert _complete(tmp_path, "edworkers pause ", EDWORKERS_POOL=own) == [*PLATFORM, "own"]


def test_settings_that_can_not_be_used_do_not_spoil_completion(tmp_path: Path) -> None:
    assert _complete(tmp_path, "edworkers pause a", EDWORKERS_POOL="{") == ["ai"]


def test_commands_are_completed(tmp_path: Path) -> None:
    assert _complete(tmp_path, "edworkers que") == ["queues"]
