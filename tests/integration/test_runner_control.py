"""What operators ask of a running runner: cancel, pause and resume, health, and log lines that tell."""

import asyncio
import signal

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.integration.processes import Program, Programs, Queue, eventually

from edworkers.core.lifecycle import State

pytestmark = pytest.mark.timeout(60)

FOREVER = {"do": "sleep", "seconds": 600}


async def test_a_running_job_is_cancelled_without_waiting_for_its_lease(programs: Programs, queue: Queue) -> None:
    runner = await programs.runner(programs.manifest(leaseSeconds=3600))
    await queue.push({"id": "a", "data": FOREVER})
    _, receipt = await queue.began()
    assert await queue.control.cancel("a") == "requested"
    assert await queue.told() == [["cancelled", "a", receipt]]
    await runner.says("job.cancelled", job="a")
    assert (await queue.becomes("a", State.CANCELLED)).attempts == 1
    assert await queue.control.cancel("a") == "finished"
    await queue.push({"id": "b", "data": {}})
    await queue.becomes("b", State.DONE)


async def test_a_cancellation_that_was_never_heard_is_met_at_the_next_renewal(programs: Programs, queue: Queue) -> None:
    await programs.runner(programs.manifest(leaseSeconds=1))
    await queue.push({"id": "a", "data": FOREVER})
    _, receipt = await queue.began()
    await queue.client.zadd(queue.key("cancel"), {"a": 1e13})  # as cancel.lua, but without its message
    assert await queue.told() == [["cancelled", "a", receipt]]
    await queue.becomes("a", State.CANCELLED)


async def test_a_cancelled_job_that_waits_is_never_started(programs: Programs, queue: Queue) -> None:
    runner = await programs.runner(programs.manifest(concurrency=1))
    await queue.push({"id": "first", "data": {"do": "sleep", "seconds": 0.3}})
    await queue.began()
    await queue.push({"id": "second", "data": {}}, {"id": "third", "data": {}})
    assert await queue.control.cancel("second") == "requested"
    await queue.becomes("third", State.DONE)
    await runner.says("job.cancelled", job="second")
    assert "second" not in str(await queue.all_told())


async def test_nothing_is_claimed_while_paused_and_a_resume_starts_it(programs: Programs, queue: Queue) -> None:
    runner = await programs.runner(programs.manifest(concurrency=2))
    await queue.push({"id": "runs", "data": {"do": "sleep", "seconds": 0.5}})
    await queue.began()
    assert await queue.control.pause(paused=True)
    await queue.push({"id": "waits", "data": {}})
    await runner.says("job.done", job="runs")
    # The job that woke a runner has come back to the list: it was looked at, and not taken.
    calls = await _metric(runner, "edworkers_queue_calls")

    async def looked_again() -> bool:
        return await _metric(runner, "edworkers_queue_calls") > calls + 1

    await eventually(looked_again)
    assert (await queue.depths()).pending == 1
    assert await _metric(runner, "edworkers_jobs_claimed") == 1

    assert await queue.control.pause(paused=False)
    await queue.becomes("waits", State.DONE)
    assert [words[0] for words in await queue.told(3)] == ["end", "begin", "end"]


async def _metric(runner: Program, name: str, **labels: str) -> float:
    _, text = await runner.get("/metrics")
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in {name, f"{name}_total"} and labels.items() <= sample.labels.items():
                return sample.value
    raise AssertionError(f"no {name} {labels} in {text}")


async def test_readiness_ends_when_draining_begins_and_liveness_does_not(programs: Programs, queue: Queue) -> None:
    runner = await programs.runner(programs.manifest())

    async def ready() -> bool:
        return (await runner.get("/readyz"))[0] == 200

    await eventually(ready)
    assert await runner.get("/livez") == (200, "ok\n")
    assert (await runner.get("/nosuch"))[0] == 404
    await queue.push({"id": "a", "data": FOREVER})
    await queue.began()
    runner.signal(signal.SIGTERM)
    await runner.says("runner.draining")
    status, why = await runner.get("/readyz")
    assert (status, "stopping" in why) == (503, True)
    assert (await runner.get("/livez"))[0] == 200


async def test_a_runner_that_a_used_up_limit_keeps_from_claiming_is_ready(programs: Programs, queue: Queue) -> None:
    limited = programs.manifest(limits=[{"name": "day", "limit": 1, "window": "day"}])
    first = await programs.runner(limited)
    await queue.push({"id": "a", "data": {}})
    await queue.becomes("a", State.DONE)
    await first.kill()
    second = await programs.runner(limited)

    async def ready() -> bool:
        return (await second.get("/readyz"))[0] == 200

    await eventually(ready)
    assert await _metric(second, "edworkers_queue_calls", queue="work") == 0


async def test_metrics_count_what_happened(programs: Programs, queue: Queue) -> None:
    runner = await programs.runner(programs.manifest(job={"backoff": {"initialSeconds": 600}}))
    await queue.push({"id": "good", "time": "2026-01-01T00:00:00Z", "data": {}})
    await queue.push({"id": "bad", "data": {"do": "fail", "times": 5}}, b"no json")
    await queue.push({"id": "last", "data": {}})
    await queue.becomes("last", State.DONE)
    assert await _metric(runner, "edworkers_jobs_claimed", queue="work") == 4
    assert await _metric(runner, "edworkers_jobs_settled", queue="work", verb="ack") == 2
    assert await _metric(runner, "edworkers_jobs_settled", queue="work", verb="retry") == 1
    assert await _metric(runner, "edworkers_jobs_settled", queue="work", verb="bury") == 1
    assert await _metric(runner, "edworkers_jobs_running", queue="work") == 0
    assert await _metric(runner, "edworkers_lease_losses", queue="work") == 0
    assert await _metric(runner, "edworkers_attempt_duration_seconds_count", queue="work") == 3
    assert await _metric(runner, "edworkers_queue_latency_seconds_count", queue="work") == 1


async def test_a_silent_client_holds_up_no_other(programs: Programs, queue: Queue) -> None:
    runner = await programs.runner(programs.manifest())
    host, _, port = runner.seen("runner.started")[0]["health"].rpartition(":")
    silent = [await asyncio.open_connection(host, int(port)) for _ in range(20)]
    assert (await runner.get("/livez"))[0] == 200
    for _, writer in silent:
        writer.close()


async def test_log_lines_name_queue_job_attempt_and_duration(programs: Programs, queue: Queue) -> None:
    backoff = {"initialSeconds": 0.1, "jitter": 0}
    runner = await programs.runner(programs.manifest(job={"maxAttempts": 2, "backoff": backoff}))
    await queue.push({"id": "a", "data": {"do": "fail", "times": 1}}, {"id": "b", "data": {"do": "fail", "times": 9}})
    await runner.says("job.done", job="a")
    await runner.says("job.buried", job="b")
    lines = {(line["job"], line["event"]): line for line in runner.lines if line["event"].startswith("job.")}
    assert set(lines) == {("a", "job.retried"), ("a", "job.done"), ("b", "job.retried"), ("b", "job.buried")}
    for (_, event), line in lines.items():
        assert line["queue"] == "work"
        assert line["attempt"] == (1 if event == "job.retried" else 2)
        assert 0 <= line["seconds"] < 60
        assert line["timestamp"].endswith("Z")
    assert lines["b", "job.buried"]["reason"] == "attempt 2 fails, as asked"
    assert lines["b", "job.buried"]["kind"] == "RuntimeError"
    assert lines["a", "job.retried"]["next_in_seconds"] == 0.1
