"""A container's first process ends by SIGTERM from its beginning, before anything else is loaded."""

import signal
import subprocess
import sys
import textwrap

import pytest


def _told_to_stop(pid: int) -> int:
    """Run a process that takes itself for number `pid` and is told to stop; returns how it ended."""
    program = f"""
        import os, signal
        from edworkers.__main__ import end_when_told_to_stop
        end_when_told_to_stop({pid})
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(9)
    """
    return subprocess.run((sys.executable, "-c", textwrap.dedent(program)), check=False).returncode


@pytest.mark.parametrize(("pid", "code"), [(1, 0), (4711, -signal.SIGTERM)])
def test_it_ends_well_and_any_other_process_as_it_always_did(pid: int, code: int) -> None:
    assert _told_to_stop(pid) == code


def test_nothing_of_edworkers_is_loaded_before() -> None:
    program = "import sys, edworkers.__main__; print([name for name in sys.modules if name.startswith('edworkers.')])"
    done = subprocess.run((sys.executable, "-c", program), check=True, capture_output=True, text=True)
    assert done.stdout == "['edworkers.__main__']\n"


def test_what_nothing_here_uses_is_not_loaded_and_found_by_who_does() -> None:
    program = """
        import sys
        from edworkers.__main__ import load_lean

        load_lean()
        loaded = {name.partition(".")[0] for name in sys.modules}
        print(sorted({"rich", "greenlet", "opentelemetry", "structlog", "redis"} & loaded))
        import greenlet, opentelemetry.sdk.metrics, rich.console
    """
    words = (sys.executable, "-c", textwrap.dedent(program))
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert done.stdout == "['redis', 'structlog']\n"


def test_what_is_loaded_already_stays() -> None:
    program = (
        "import sys, rich\nfrom edworkers.__main__ import load_lean\nload_lean()\nprint(sys.modules['rich'] is rich)"
    )
    done = subprocess.run((sys.executable, "-c", program), check=True, capture_output=True, text=True)
    assert done.stdout == "True\n"
