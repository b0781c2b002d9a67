"""Outcomes between processes, and what the end of a process comes to that told none."""

import signal
from typing import Any

import pytest

from edworkers.adapters.isolation.outcomes import out_of_memory, outcome_of_end, read_outcome, write_outcome
from edworkers.core.outcome import Cancelled, Deferred, Done, Failed, FollowUp, Outcome, Rejected, Released

MIB = 1024**2


@pytest.mark.parametrize(
    "outcome",
    [
        Done(),
        Done({"a": [1, None, "é"]}, (FollowUp("next", {"b": 1}), FollowUp("next", {}))),
        Failed("Boom", "no luck", retryable=False, traceback="Traceback …", after_seconds=1.5, answer="503 …"),
        Failed("status", "404", service_down=False),
        Failed("connection", "nobody answers", service_down=True),
        Failed("ValueError", "half of a pair: \ud83d"),
        Deferred(3.5, "closed", close_gate=True),
        Rejected(("a: wrong", "b: missing")),
        Cancelled(),
        Released(),
    ],
)
def test_an_outcome_is_read_as_it_was_written(outcome: Outcome) -> None:
    assert read_outcome(write_outcome(outcome)) == outcome


def test_of_a_long_failure_the_message_keeps_its_beginning_and_the_traceback_its_end() -> None:
    long = Failed("Boom", "m" * 20_000 + "!", traceback="t" * 20_000 + "!", answer="a" * 20_000)
    read = read_outcome(write_outcome(long))
    assert isinstance(read, Failed)
    assert read.message == "m" * 16_384
    assert read.traceback == "t" * 16_383 + "!"
    assert read.answer == "a" * 16_384


def test_an_outcome_of_wrong_values_cant_be_written() -> None:
    with pytest.raises(TypeError):
        write_outcome(Failed(object(), "no kind"))  # type: ignore[arg-type]


def an_end(code: int | None = None, why: str = "", **more: Any) -> dict[str, Any]:
    return {"is": "ended", "code": code, "why": why, "used": 0, **more}


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (an_end(-signal.SIGKILL, "lease"), Released()),
        (an_end(-signal.SIGKILL, "time"), Failed("timeout", "not done within its time", service_down=True)),
        (
            an_end(-signal.SIGKILL, "memory", used=612 * MIB),
            Failed("memory", "its processes used 612 MiB, and 512 MiB are allowed (job.memory)"),
        ),
        (
            an_end(why="fork", reason="Resource temporarily unavailable"),
            Failed("isolation", "no process could be started for it: Resource temporarily unavailable"),
        ),
        (
            an_end(-signal.SIGKILL, "zygote"),
            Failed("isolation", "its process ended with the one from which it was forked, which was killed by SIGKILL"),
        ),
        (
            an_end(1, "zygote"),
            Failed(
                "isolation", "its process ended with the one from which it was forked, which ended with exit code 1"
            ),
        ),
        (an_end(3), Failed("exit", "its process ended with exit code 3 and told no outcome")),
        (an_end(-signal.SIGSEGV), Failed("killed", "its process was killed by SIGSEGV")),
        (an_end(-40), Failed("killed", "its process was killed by signal 40")),
        (
            an_end(-signal.SIGKILL),
            Failed(
                "killed", "its process was killed by SIGKILL; perhaps the machine or its container ran out of memory"
            ),
        ),
    ],
)
def test_an_end_without_an_outcome_is_told_in_words(end: dict[str, Any], outcome: Outcome) -> None:
    assert outcome_of_end(end, b"", 512 * MIB) == outcome


def test_an_outcome_that_was_told_counts_however_its_process_ended() -> None:
    told = write_outcome(Done(1))
    assert outcome_of_end(an_end(-signal.SIGKILL, "closing"), told, None) == Done(1)
    assert outcome_of_end(an_end(-signal.SIGSEGV), told, None) == Done(1)


def test_memory_that_python_is_refused_is_told_as_such() -> None:
    assert out_of_memory(512 * MIB, "Traceback …") == Failed(
        "memory", "MemoryError: it needed more, and 512 MiB are allowed (job.memory)", traceback="Traceback …"
    )
