"""Plain functions as handlers: they may block, and are timed out, cancelled and given up like any other."""

import signal

import pytest
from tests.integration.processes import Program, Programs, Queue

from edworkers.core.lifecycle import State

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

pytestmark = pytest.mark.timeout(60)


async def plain(programs: Programs, **env: str) -> Program:
    manifest = programs.manifest(
        handlers="handlers_plain", concurrency=3, job={"timeoutSeconds": 600, "maxAttempts": 1}
    )
    return await programs.runner(manifest, **env)


@pytest.mark.parametrize("kind", [None, "isolated"])
async def test_it_is_told_all_that_a_coroutine_is_told(programs: Programs, queue: Queue, kind: str | None) -> None:
    await plain(programs)
    await queue.push({"id": "a", "type": kind, "traceparent": TRACE, "maxAttempts": 1, "data": {}})
    record = await queue.becomes("a", State.DONE)
    left, receipt = record.result.pop("left"), record.result.pop("receipt")
    assert 0 < left <= 600
    assert receipt
    assert record.result == {
        "id": "a",
        "queue": "work",
        "type": kind,
        "attempt": 1,
        "max_attempts": 1,
        "traceparent": TRACE,
        "over": False,
    }
    assert record.progress == {"fraction": 0.5, "note": "half"}
    pieces = await queue.client.xrange(queue.key("text:a"))
    assert b"".join(fields[b"t"] for _, fields in pieces) == b"Once upon a time"


@pytest.mark.parametrize("kind", [None, "isolated"])
async def test_what_it_logs_is_kept(programs: Programs, queue: Queue, kind: str | None) -> None:
    runner = await plain(programs)
    await queue.push({"id": "a", "type": kind, "data": {"do": "log"}})
    await queue.becomes("a", State.DONE)
    logs = (await queue.history("a")).logs
    assert [(line.level, line.message) for line in logs] == [("info", "it begins"), ("warning", "it ends")]
    await runner.says("job.log", job="a", message="it ends", level="warning")


async def test_as_many_run_at_once_as_there_are_slots(programs: Programs, queue: Queue) -> None:
    await plain(programs)
    await queue.push(*({"id": name, "data": {"do": "meet", "seconds": 30}} for name in "abc"))
    assert {(await queue.becomes(name, State.DONE)).result for name in "abc"} == {0, 1, 2}


@pytest.mark.parametrize(("kind", "result"), [("called", "x"), ("called-async", "MainThread"), ("opened", "x!")])
async def test_a_callable_of_any_kind_will_do(programs: Programs, queue: Queue, kind: str, result: str) -> None:
    await plain(programs)
    await queue.push({"id": "a", "type": kind, "data": {"do": "x"}})
    assert (await queue.becomes("a", State.DONE)).result == result


@pytest.mark.parametrize(
    ("do", "kind", "said"),
    [
        ("stop_iteration", "RuntimeError", "the handler raised StopIteration"),
        ("interrupt", "RuntimeError", "the handler raised KeyboardInterrupt"),
        ("exit", "SystemExit", "3"),
        ("wrong_level", "ValueError", "a log's level is one of debug, info, warning, error, not 'loud'"),
        ("too_far", "ValueError", "progress is a fraction from 0 to 1, not 1.5"),
    ],
)
async def test_whatever_it_raises_is_that_jobs_failure(
    programs: Programs, queue: Queue, do: str, kind: str, said: str
) -> None:
    await plain(programs)
    await queue.push({"id": "a", "data": {"do": do}})
    error = (await queue.becomes("a", State.DEAD)).error or {}
    assert error["kind"] == kind
    assert said in error["message"]
    await queue.push({"id": "b", "data": {}})
    await queue.becomes("b", State.DONE)


async def test_one_that_looks_whether_it_is_over_ends_when_it_is_cancelled(programs: Programs, queue: Queue) -> None:
    runner = await plain(programs)
    await queue.push({"id": "a", "data": {"do": "look"}})
    await queue.becomes("a", State.INFLIGHT)
    assert await queue.control.cancel("a") == "requested"
    await queue.becomes("a", State.CANCELLED)
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0


async def test_one_that_goes_on_after_its_time_is_settled_and_ends_with_its_process(
    programs: Programs, queue: Queue
) -> None:
    runner = await plain(programs, EDWORKERS_GRACE_SECONDS="1")
    await queue.push({"id": "a", "timeoutSeconds": 1, "data": {"do": "block"}})
    record = await queue.becomes("a", State.DEAD)
    assert "ignored its cancellation" in (record.error or {})["message"]
    await runner.says("handler.stuck", job="a")
    assert await runner.ended() == 70


async def test_one_with_a_process_of_its_own_is_killed_when_its_time_is_up(programs: Programs, queue: Queue) -> None:
    runner = await plain(programs)
    await queue.push({"id": "a", "type": "isolated", "timeoutSeconds": 1, "data": {"do": "block"}})
    record = await queue.becomes("a", State.DEAD)
    assert (record.error or {})["message"] == "not done within 1 s"
    await queue.push({"id": "b", "type": "isolated", "data": {}})
    await queue.becomes("b", State.DONE)
    assert not runner.seen("handler.stuck")


async def test_follow_up_jobs_are_enqueued_with_its_end(programs: Programs, queue: Queue) -> None:
    await plain(programs)
    await queue.push({"id": "a", "data": {"do": "follow_up"}})
    assert (await queue.becomes("a", State.DONE)).result == {"did": "follow_up"}
