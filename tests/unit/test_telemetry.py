"""What became of a job is one log line, that people or programs can read."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from edworkers import telemetry
from edworkers.core.verdict import Ack, Bury, Cancel, Defer, Duplicate, Release, Retry, Verdict
from edworkers.pipeline.settle import VERBS
from edworkers.telemetry import configure, log, tell_settled

ERROR = {"kind": "Boom", "message": "no luck", "attempt": 2}


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    told = capsys.readouterr()
    assert told.out == ""
    return [json.loads(line) for line in told.err.splitlines()]


def settled(verdict: Verdict, job_id: str = "j1") -> None:
    tell_settled(VERBS[type(verdict)], job_id, verdict, queue="ai", attempt=2, seconds=1.23456)


@pytest.mark.parametrize(
    ("verdict", "event", "level", "more"),
    [
        (Ack({"text": "secret"}), "job.done", "info", {}),
        (
            Retry(2.34567, ERROR),
            "job.retried",
            "warning",
            {"reason": "no luck", "kind": "Boom", "next_in_seconds": 2.346},
        ),
        (Defer(7, "busy"), "job.deferred", "info", {"reason": "busy", "next_in_seconds": 7}),
        (
            Defer(0, ""),
            "job.deferred",
            "info",
            {"reason": "its producer asked for a later time", "next_in_seconds": 0},
        ),
        (Bury(ERROR), "job.buried", "error", {"reason": "no luck", "kind": "Boom"}),
        (Cancel(), "job.cancelled", "info", {}),
        (Release(), "job.released", "info", {}),
        (Duplicate(), "job.duplicate", "info", {}),
    ],
)
def test_what_is_told_of_a_verdict(
    verdict: Verdict, event: str, level: str, more: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    configure("info", "json")
    settled(verdict)
    [line] = lines(capsys)
    moment = datetime.fromisoformat(line.pop("timestamp"))
    assert moment.tzinfo == UTC
    expected = {"event": event, "level": level, "queue": "ai", "job": "j1", "attempt": 2, "seconds": 1.2346}
    assert line == expected | more


def test_every_job_is_a_line_of_its_own_even_if_its_error_has_several(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    settled(Bury({**ERROR, "message": "one\ntwo\r\n\x1b[2J\u2028three"}), "j1")
    settled(Ack(None), "j2")
    one, other = lines(capsys)
    assert one["reason"] == "one\ntwo\r\n\x1b[2J\u2028three"
    assert (one["job"], other["job"]) == ("j1", "j2")


def test_a_message_that_is_no_utf8_is_told_even_so(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    settled(Bury({**ERROR, "message": "no file \udcff"}))
    [line] = lines(capsys)
    assert line["reason"] == "no file \udcff"


def test_an_error_with_its_traceback_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    try:
        int("no number")
    except ValueError:
        log.exception("runner.broke", queue="ai")
    [line] = lines(capsys)
    assert (line["event"], line["level"], line["queue"]) == ("runner.broke", "error", "ai")
    assert line["exception"].splitlines()[0] == "Traceback (most recent call last):"
    assert line["exception"].splitlines()[-1] == "ValueError: invalid literal for int() with base 10: 'no number'"


def test_what_a_library_logs_is_a_line_of_the_same_kind(capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", "json")
    logging.getLogger("some.library").warning("%s is away\nagain", "it")
    logging.getLogger("some.library").info("chatter")
    [line] = lines(capsys)
    assert (line["event"], line["level"]) == ("it is away\nagain", "warning")


@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("debug", ["job.done", "job.retried", "job.buried"]),
        ("info", ["job.done", "job.retried", "job.buried"]),
        ("warning", ["job.retried", "job.buried"]),
        ("error", ["job.buried"]),
    ],
)
def test_the_level_chooses_what_is_told(level: str, told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert level in telemetry.LEVELS
    configure(level, "json")
    for verdict in (Ack(None), Retry(1, ERROR), Bury(ERROR)):
        settled(verdict)
    assert [line["event"] for line in lines(capsys)] == told


def test_people_read_a_line_without_colours_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "text")
    settled(Retry(2, ERROR))
    told = capsys.readouterr().err
    assert "\x1b" not in told
    [line] = told.splitlines()
    assert "job.retried" in line
    assert {"queue=ai", "job=j1", "attempt=2", "seconds=1.2346", "kind=Boom"} <= set(line.split())


def test_to_configure_again_does_not_tell_everything_twice(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    configure("info", "json")
    settled(Ack(None))
    assert len(lines(capsys)) == 1


@pytest.mark.parametrize("style", ["json", "text"])
def test_no_secret_is_logged_whether_by_us_or_by_a_library(capsys: pytest.CaptureFixture[str], style: str) -> None:
    configure("info", style, ["studentNumber"])
    log.warning("job.retried", queue="ai", job="4111111111111111", reason="401 for token=k3y of anna@example.org")
    log.info("told", api_key="k3y", student_number="k3y", headers={"authorization": "k3y"}, faults=["password=k3y"])
    logging.getLogger("some.library").error("can't log in at redis://:%s@db.example", "k3y")
    held = "k" + "3y"
    try:
        int(f"postgresql://app:{held}@db.example/app")
    except ValueError:
        log.exception("runner.broke", queue="ai")
    shown = capsys.readouterr().err
    assert "k3y" not in shown
    assert "anna@" not in shown
    assert shown.count("db.example") >= 2
    assert ("4111111111111111" in shown) is (style == "json")
