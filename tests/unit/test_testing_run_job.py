"""One attempt at one job, as users' own tests make it."""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.handlers_to_test import Note, a_module, a_pool

from edworkers.core.errors import SettingsError
from edworkers.core.outcome import Deferred, Done, Failed, FollowUp, Rejected
from edworkers.ports import JobContext
from edworkers.testing import run_job


async def greet(data: Note, job: JobContext) -> dict[str, Any]:
    return {"text": data.text, "id": job.id, "attempt": job.attempt, "of": job.max_attempts, "queue": job.queue}


async def test_a_handler_gets_validated_data_and_knows_its_job() -> None:
    outcome = await run_job(a_module(greet), {"text": "hi"})
    assert outcome == Done({"text": "hi", "id": "job", "attempt": 1, "of": 3, "queue": "work"})


async def test_a_test_may_say_which_job_and_which_attempt_it_is() -> None:
    outcome = await run_job(a_module(greet), {}, id="a", attempt=3, pool=a_pool(queue="other", job={"maxAttempts": 5}))
    assert outcome == Done({"text": "", "id": "a", "attempt": 3, "of": 5, "queue": "other"})


async def test_data_that_does_not_fit_is_rejected_with_every_fault() -> None:
    outcome = await run_job(a_module(greet), {"text": 1, "more": 2})
    assert outcome == Rejected(
        ("data.text: Input should be a valid string", "data.more: Extra inputs are not permitted"),
    )


async def test_a_job_of_an_unknown_type_is_rejected() -> None:
    module = a_module(greet)
    module = replace(module, handlers=(replace(module.handlers[0], type="note"),))
    assert await run_job(module, {}) == Rejected(("type: missing; this queue knows note",))
    assert isinstance(await run_job(module, {}, type="note"), Done)


async def test_what_a_handler_raises_is_a_failure_with_its_traceback() -> None:
    async def fail(_data: Note, _job: JobContext) -> None:
        raise OSError("away")

    outcome = await run_job(a_module(fail), {})
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.message) == ("OSError", "away")
    assert 'raise OSError("away")' in (outcome.traceback or "")


@pytest.mark.parametrize(
    "outcome", [Done([1], (FollowUp("other", {}),)), Failed("a", "b", retryable=False), Deferred(5, "busy"), Done()]
)
async def test_an_outcome_comes_back_as_it_is(outcome: Done | Failed | Deferred) -> None:
    async def say(_data: Note, _job: JobContext) -> object:
        return outcome

    assert await run_job(a_module(say), {}) == outcome


async def test_a_result_that_is_no_json_is_the_failure_that_production_makes_of_it() -> None:
    async def say(_data: Note, _job: JobContext) -> object:
        return object()

    outcome = await run_job(a_module(say), {})
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("result", False)


async def test_what_a_handler_reports_is_kept_in_its_order() -> None:
    async def work(_data: Note, job: JobContext) -> None:
        await job.progress(0.1)
        await job.progress(0.9, "nearly")

    reports: list[tuple[float, str]] = []
    await run_job(a_module(work), {}, progress=reports)
    assert reports == [(0.1, ""), (0.9, "nearly")]


async def test_what_a_handler_emits_is_kept_as_those_who_follow_the_job_get_it() -> None:
    async def work(_data: Note, job: JobContext) -> None:
        await job.emit("Once ")
        await asyncio.sleep(10)
        for word in ("upon ", "a ", "time"):
            await job.emit(word)

    emitted: list[str] = []
    await run_job(a_module(work), {}, emitted=emitted)
    assert emitted == ["Once ", "upon a time"]


async def test_a_handler_that_takes_too_long_is_timed_out_in_no_time() -> None:
    left: list[float] = []

    async def sleep(_data: Note, job: JobContext) -> None:
        await asyncio.sleep(100)
        left.append(job.seconds_left)
        await asyncio.sleep(86_400)

    pool = a_pool(job={"timeoutSeconds": 3600})
    assert await run_job(a_module(sleep), {}, pool=pool) == Failed("timeout", "not done within 3600 s")
    assert left == [pytest.approx(3500)]


async def test_a_handler_that_ignores_its_cancellation_is_told_as_in_production() -> None:
    async def ignore(_data: Note, _job: JobContext) -> None:
        for _ in range(3):
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

    outcome = await run_job(a_module(ignore), {})
    assert outcome == Failed("timeout", "not done within 60 s, and the handler ignored its cancellation")
    assert len(asyncio.all_tasks()) == 1


async def test_a_handler_is_opened_with_the_environment_of_the_test_and_closed_again() -> None:
    opened: list[str] = []
    await run_job(a_module(greet, opened=opened), {}, env={"NAME": "ada"})
    assert opened == ["opened ada", "closed"]


async def test_nothing_of_the_real_environment_is_seen() -> None:
    seen: list[Mapping[str, str]] = []
    module = a_module(greet)
    (handler,) = module.handlers

    def faults(env: Mapping[str, str]) -> list[str]:
        seen.append(env)
        return []

    assert os.environ
    await run_job(replace(module, handlers=(replace(handler, faults=faults),)), {})
    assert seen == [{}]


async def test_an_environment_with_which_no_runner_would_start_is_refused() -> None:
    module = a_module(greet)
    (handler,) = module.handlers
    module = replace(module, handlers=(replace(handler, faults=lambda _env: ["KEY: is missing"]),))
    with pytest.raises(SettingsError) as caught:
        await run_job(module, {}, env={"WORK_WORKER_CONCURRENCY": "many"})
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["KEY", "WORK_WORKER_CONCURRENCY"]


async def test_a_handler_that_asks_for_a_process_of_its_own_runs_as_a_task() -> None:
    async def tell(_data: Note, _job: JobContext) -> int:
        return os.getpid()

    module = a_module(tell)
    module = replace(module, handlers=(replace(module.handlers[0], isolation="process"),))
    assert await run_job(module, {}) == Done(os.getpid())


async def test_real_time_goes_on_where_it_was() -> None:
    async def sleep(_data: Note, _job: JobContext) -> None:
        await asyncio.sleep(3000)

    loop = asyncio.get_running_loop()
    before = loop.time()
    await run_job(a_module(sleep), {}, pool=a_pool(job={"timeoutSeconds": 86_400}))
    assert loop.time() >= before + 3000
    real = time.monotonic()
    await asyncio.sleep(0.01)
    assert time.monotonic() >= real + 0.01
