"""Log lines of the operator and of its libraries, in one form."""

import json
import logging

import pytest
import structlog

from edworkers_operator.logs import log_as


def test_a_library_s_line_looks_like_ours(capsys: pytest.CaptureFixture[str]) -> None:
    log_as("json", "info")
    structlog.get_logger("operator.of.this.test").info("child.changed", pool="ai")
    logging.getLogger("kopf").warning("the watch of %s ended", "pods")
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["pool"], ours["level"]) == ("child.changed", "ai", "info")
    assert (theirs["event"], theirs["level"]) == ("the watch of pods ended", "warning")
    assert ours.keys() - {"pool"} == theirs.keys()


def test_a_traceback_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    log_as("json", "info")
    structlog.get_logger("operator.of.this.test").warning("reconcile.failed", exc_info=ValueError("no"))
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: no" in json.loads(line)["exception"]


def test_people_read_text(capsys: pytest.CaptureFixture[str]) -> None:
    log_as("text", "info")
    structlog.get_logger("operator.of.this.test").info("child.changed", pool="ai")
    assert "child.changed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("level", "shown"), [("debug", 3), ("info", 2), ("warning", 1), ("WARNING", 1), ("no such level", 2)]
)
def test_the_level_says_what_is_shown(level: str, shown: int, capsys: pytest.CaptureFixture[str]) -> None:
    log_as("json", level)
    log = structlog.get_logger("operator.of.this.test")
    for name in ("debug", "info", "warning"):
        getattr(log, name)("line")
    assert len(capsys.readouterr().err.splitlines()) == shown


def test_what_libraries_chat_about_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    log_as("json", "debug")
    logging.getLogger("kopf.objects").info("Handler 'watch' succeeded.")
    logging.getLogger("kubernetes.client").warning("retrying")
    assert capsys.readouterr().err == ""
