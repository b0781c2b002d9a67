"""A handler in a process of its own has all that it has in its runner's: its job, its progress, every outcome."""

from typing import Any

import pytest
from tests.integration.isolated import begun, fails, isolated
from tests.integration.processes import Programs, Queue, eventually

from edworkers.core.lifecycle import State

pytestmark = pytest.mark.timeout(60)

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_handler_knows_its_job(programs: Programs, queue: Queue) -> None:
    await isolated(programs, job={"maxAttempts": 5})
    await queue.push(
        {"id": "a", "traceparent": TRACE, "timeoutSeconds": 30, "maxAttempts": 2, "data": {"do": "context"}}
    )
    ((_, _, receipt, _, _),) = await queue.told()
    known = (await queue.becomes("a", State.DONE)).result
    left = known.pop("left")
    assert known == {
        "id": "a",
        "queue": "work",
        "type": None,
        "attempt": 1,
        "max_attempts": 2,
        "receipt": receipt,
        "traceparent": TRACE,
    }
    assert 0 < left <= 30


async def test_a_job_of_bare_data_has_its_environment_and_keeps_its_secrets(programs: Programs, queue: Queue) -> None:
    programs.env["SEEN_BY_JOBS"] = "yes"
    await isolated(programs)
    await queue.push({"do": "succeed", "secret": "é\u2028"})
    ((_, job_id, *_),) = await queue.told()
    assert (await queue.becomes(job_id, State.DONE)).result == {
        "did": "succeed",
        "secret": "é\u2028",
        "env": "yes",
        "attempt": 1,
    }


async def test_progress_is_told_while_the_job_runs(programs: Programs, queue: Queue) -> None:
    runner = await isolated(programs)
    await queue.push({"id": "a", "data": {"do": "progress"}})
    await begun(queue)
    assert await queue.told() == [["told"]]
    record = await queue.record("a")
    assert record.state is State.INFLIGHT
    assert record.progress == {"fraction": 0.5, "note": "half"}
    assert not runner.text


async def test_a_text_is_told_while_the_job_runs(programs: Programs, queue: Queue) -> None:
    await isolated(programs)
    await queue.push({"id": "a", "data": {"do": "emit"}})
    await begun(queue)
    assert await queue.told() == [["emitted"]]
    await eventually(lambda: _reads(queue, "Once upon é a time, half of a pair: ?"))
    assert (await queue.record("a")).state is State.INFLIGHT


async def test_a_text_is_whole_when_the_job_is_done_and_no_longer_than_is_kept(
    programs: Programs, queue: Queue
) -> None:
    await isolated(programs)
    await queue.push({"id": "a", "data": {"do": "emit_much"}})
    await queue.becomes("a", State.DONE)
    assert await _reads(queue, "".join(letter * 100_000 for letter in "abc")[: 256 * 1024])


async def _reads(queue: Queue, text: str) -> bool:
    entries = await queue.client.xrange(queue.key("text:a"))
    return b"".join(fields[b"t"] for _, fields in entries).decode() == text


async def test_progress_that_is_none_is_the_handlers_failure(programs: Programs, queue: Queue) -> None:
    await isolated(programs, job={"maxAttempts": 1})
    await queue.push({"id": "a", "data": {"do": "wrong_progress"}})
    assert await fails(queue, "a") == ("ValueError", "progress is a fraction from 0 to 1, not 2")


async def test_what_it_logs_is_kept_and_is_told_by_its_runner(programs: Programs, queue: Queue) -> None:
    runner = await isolated(programs)
    await queue.push({"id": "a", "data": {"do": "log"}})
    await queue.becomes("a", State.DONE)
    logs = (await queue.history("a")).logs
    assert [(line.level, line.message) for line in logs] == [
        ("warning", "half of a pair: \\ud800"),
        *(("info", f"line {number}") for number in range(3)),
        ("debug", "x" * 499 + "…"),
    ]
    (line,) = await runner.says("job.log", message="line 0")
    assert (line["job"], line["queue"], line["attempt"], line["level"]) == ("a", "work", 1, "info")
    assert not runner.text


async def test_a_level_that_is_none_is_the_handlers_failure(programs: Programs, queue: Queue) -> None:
    await isolated(programs, job={"maxAttempts": 1})
    await queue.push({"id": "a", "data": {"do": "wrong_level"}})
    said = "a log's level is one of debug, info, warning, error, not 'loud'"
    assert await fails(queue, "a") == ("ValueError", said)


@pytest.mark.parametrize(
    ("which", "result"),
    [
        ("number", 42),
        ("nothing", None),
        ("model", {"do": "succeed", "seconds": 1000.0, "megabytes": 0, "code": 0, "secret": "kept"}),
        ("decimal", "1.5"),
        ("large", "x" * 1_000_000),
        ("follow_up", {"text": "x"}),
    ],
)
async def test_what_a_handler_returns_is_kept(programs: Programs, queue: Queue, which: str, result: Any) -> None:
    await isolated(programs)
    await queue.push({"id": "a", "data": {"do": "return", "secret": which}})
    assert (await queue.becomes("a", State.DONE)).result == result


async def test_follow_up_jobs_are_enqueued(programs: Programs, queue: Queue) -> None:
    await isolated(programs)
    await queue.push({"id": "a", "data": {"do": "return", "secret": "follow_up"}})
    _, pushed = await queue.client.blpop("edworkers:{next}:pending")
    assert b'"data":{"a":[1]}' in pushed


@pytest.mark.parametrize(
    ("which", "kind", "message"),
    [
        ("failed", "Boom", "no luck"),
        ("rejected", "rejected", "a: wrong; b: missing"),
        ("too_large", "result", "the handler's result has 2000002 bytes as JSON, and 1048576 are allowed"),
        ("no_json", "result", "the handler's result can't be written as JSON: "),
        ("nan", "result", "the handler's result can't be written as JSON: "),
        ("wrong", "outcome", "the handler's outcome Deferred can't be used: "),
        ("unwritable", "outcome", "the handler's outcome Failed can't be used: "),
    ],
)
async def test_what_ends_a_job_for_good_is_told_as_in_the_runners_own_process(
    programs: Programs, queue: Queue, which: str, kind: str, message: str
) -> None:
    await isolated(programs)
    await queue.push({"id": "a", "data": {"do": "return", "secret": which}})
    told = await fails(queue, "a")
    assert (told[0], told[1][: len(message)]) == (kind, message)


async def test_a_job_can_be_put_off_tried_again_or_end_as_cancelled(programs: Programs, queue: Queue) -> None:
    runner = await isolated(programs, job={"maxAttempts": 2})
    for which in ("deferred", "after", "cancelled"):
        await queue.push({"id": which, "data": {"do": "return", "secret": which}})
    (deferred,) = await runner.says("job.deferred", job="deferred")
    assert (deferred["reason"], deferred["next_in_seconds"]) == ("the service is closed", 3600)
    (retried,) = await runner.says("job.retried", job="after")
    assert (retried["kind"], retried["reason"], retried["next_in_seconds"]) == ("Busy", "later", 3600)
    await queue.becomes("cancelled", State.CANCELLED)


async def test_an_error_is_told_with_its_place(programs: Programs, queue: Queue) -> None:
    await isolated(programs, job={"maxAttempts": 1})
    await queue.push({"id": "a", "data": {"do": "fail"}}, {"id": "b", "data": {"do": "surrogate"}})
    assert await fails(queue, "a") == ("RuntimeError", "as asked")
    assert 'raise RuntimeError("as asked")' in ((await queue.record("a")).error or {})["traceback"]
    assert await fails(queue, "b") == ("ValueError", "half of a pair: \\ud83d")


async def test_a_module_that_the_zygote_cant_load_fails_the_jobs_with_the_reason(
    programs: Programs, queue: Queue
) -> None:
    (programs.folder / "breaks_in_zygotes.py").write_text(
        "import sys\n"
        "from handlers_for_isolation import MODULE\n"
        "if 'typer' not in sys.modules:  # as in the runner\n"
        "    raise LookupError('not here')\n"
    )
    manifest = programs.manifest(handlers="breaks_in_zygotes", job={"maxAttempts": 1})
    await programs.runner(manifest, PYTHONPATH=f"{programs.env['PYTHONPATH']}:.")
    await queue.push({"id": "a", "data": {}})
    assert await fails(queue, "a") == ("isolation", "the zygote can't load the handlers: LookupError: not here")
    await queue.push({"id": "b", "type": "in-runner", "data": {}})
    await queue.becomes("b", State.DONE)
