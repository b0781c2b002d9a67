"""Traces, as a collector receives them from real runners: whole, across queues and processes, and without secrets."""

import json
import signal
from collections.abc import AsyncIterator

import pytest
from tests.integration.command_line import CommandLine
from tests.integration.otlp_receiver import NOTHING, Collector, Link, collecting
from tests.integration.processes import Program, Programs, Queue, eventually
from tests.integration.webhook_receivers import SECRET, receiving, saying

from edworkers.core.lifecycle import State
from edworkers.standins.gemini import GeminiStandin

TRACE, PRODUCER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACED = f"00-{TRACE}-{PRODUCER}-01"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


async def start(programs: Programs, collector: Collector, queue: str = "work", **env: str) -> Program:
    manifest = programs.manifest(queue, handlers="handlers_for_traces")
    return await programs.runner(manifest, **{**collector.env, **env})


async def test_a_first_attempt_goes_on_with_its_producers_trace(
    programs: Programs, queue: Queue, collector: Collector
) -> None:
    runner = await start(programs, collector)
    await queue.push({"id": "a", "traceparent": TRACED, "data": {"do": "trace"}})
    attempt = await collector.named("process work")
    assert (attempt.kind, attempt.trace_id, attempt.parent_id) == ("CONSUMER", TRACE, PRODUCER)
    assert attempt.attributes == {
        "messaging.system": "edworkers",
        "messaging.destination.name": "work",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.message.id": "a",
        "edworkers.attempt": 1,
        "edworkers.outcome": "done",
        "edworkers.verb": "ack",
    }
    assert not attempt.failed
    assert attempt.resource["service.name"] == "edworkers"
    assert attempt.resource["edworkers.queue"] == "work"
    assert attempt.resource["service.instance.id"] == runner.seen("runner.started")[0]["runner"]
    step = await collector.named("own step")
    assert (step.trace_id, step.parent_id) == (TRACE, attempt.span_id)


async def test_a_later_attempt_has_a_trace_of_its_own_linked_to_the_producers(
    programs: Programs, queue: Queue, collector: Collector
) -> None:
    await start(programs, collector)
    await queue.push({"id": "a", "traceparent": TRACED, "data": {"do": "fail", "times": 1}})
    first = await collector.named("process work", attempt=1)
    second = await collector.named("process work", attempt=2)
    assert (first.trace_id, first.parent_id, first.links) == (TRACE, PRODUCER, ())
    assert (second.trace_id == TRACE, second.parent_id, second.links) == (False, NOTHING, (Link(TRACE, PRODUCER),))
    assert (first.failed, first.attributes["edworkers.verb"]) == (True, "retry")
    assert (second.failed, second.attributes["edworkers.verb"]) == (False, "ack")


async def test_an_error_is_told_without_secrets_and_without_somebodys_data(
    programs: Programs, queue: Queue, collector: Collector
) -> None:
    await start(programs, collector)
    await queue.push({"id": "a", "data": {"do": "fail", "times": 9}}, {"id": "b", "data": {"do": "raise"}})
    attempt, *_ = await collector.gets(lambda span: span.attributes.get("messaging.message.id") == "a")
    assert (attempt.attributes["error.type"], attempt.said) == ("status", "status")
    [(name, told)] = attempt.events
    assert name == "exception"
    assert told["exception.message"] == "the mail to [email] was refused, token=[redacted]"
    raised, *_ = await collector.gets(lambda span: span.attributes.get("messaging.message.id") == "b")
    assert raised.attributes["error.type"] == "RuntimeError"
    for secret in (b"ada@school", b"bob@school", b"abcdef123456"):
        assert secret not in collector.raw


async def test_a_job_in_a_process_of_its_own_goes_on_with_its_attempts_trace(
    programs: Programs, queue: Queue, collector: Collector
) -> None:
    runner = await start(programs, collector)
    await queue.push({"id": "a", "type": "apart", "traceparent": TRACED, "data": {"do": "trace"}})
    attempt = await collector.named("process work")
    step = await collector.named("own step")
    assert (attempt.trace_id, attempt.parent_id) == (TRACE, PRODUCER)
    assert (step.trace_id, step.parent_id, step.attributes) == (TRACE, attempt.span_id, {"step": 1})
    assert step.resource["service.instance.id"] == attempt.resource["service.instance.id"]
    await queue.push({"id": "b", "type": "apart", "traceparent": TRACED, "data": {"do": "log"}})
    attempt = await collector.named("process work", id="b")
    [line] = await runner.says("the library says something")
    assert (line["job"], line["queue"], line["attempt"]) == ("b", "work", 1)
    assert (line["trace_id"], line["span_id"]) == (TRACE, attempt.span_id)


@pytest.fixture
async def asked(programs: Programs, redis_url: str, collector: Collector) -> AsyncIterator[list[str]]:
    """A question is answered by one runner, and the answer delivered by another; gives what its receiver heard."""
    ai = Queue(redis_url, redis_url, "ai")
    async with GeminiStandin.serve() as gemini, receiving(saying(OK)) as receiver:
        settings = {
            "GEMINI_API_KEY": "any-key",
            "GEMINI_BASE_URL": gemini.url,
            "WEBHOOK_SECRET": SECRET,
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            **collector.env,
        }
        for name in ("ai", "webhook"):
            runner = await programs.start("run", name, **settings)
            await runner.says("runner.started")
        data = {"conversationId": "c1", "userId": "u1", "prompt": "a prompt that nobody else may read"}
        await ai.push({"id": "q", "traceparent": TRACED, "data": {**data, "webhookUrl": f"{receiver.url}/hooks?key=1"}})
        await collector.named("process webhook")
        yield receiver.heads
    await ai.close()


async def test_a_question_its_answer_and_its_webhook_are_one_trace_of_two_runners(
    asked: list[str], collector: Collector
) -> None:
    answered = await collector.named("process ai")
    asking = await collector.named("generate_content gemini-2.5-flash")
    delivered = await collector.named("process webhook")
    post = await collector.named("POST")
    assert {span.trace_id for span in (answered, asking, delivered, post)} == {TRACE}
    parents = [span.parent_id for span in (answered, asking, delivered, post)]
    assert parents == [PRODUCER, answered.span_id, answered.span_id, delivered.span_id]
    assert answered.resource["service.instance.id"] != delivered.resource["service.instance.id"]
    [head] = asked
    assert f"traceparent: {post.traceparent}\r\n" in head


async def test_the_calls_of_other_services_are_told_without_what_was_said(
    asked: list[str], collector: Collector
) -> None:
    asking = await collector.named("generate_content gemini-2.5-flash")
    post = await collector.named("POST")
    assert all(asking.attributes[f"gen_ai.usage.{kind}_tokens"] > 0 for kind in ("input", "output"))
    assert asking.attributes["gen_ai.response.finish_reasons"] == ["STOP"]
    assert (asking.kind, asking.attributes["gen_ai.provider.name"]) == ("CLIENT", "gcp.gemini")
    assert (post.kind, post.attributes["http.response.status_code"]) == ("CLIENT", 200)
    assert b"nobody else may read" not in collector.raw
    assert b"key=1" not in collector.raw


async def test_what_enqueues_from_the_command_line_begins_the_trace(
    programs: Programs, queue: Queue, collector: Collector, redis_url: str
) -> None:
    await start(programs, collector)
    shell = CommandLine(programs.folder, redis_url)
    words = ("enqueue", "work", '{"do":"trace"}', "--id", "a", "--pool", str(programs.folder / "work.yaml"))
    path = programs.env["PYTHONPATH"]
    ran = await shell.run(*words, PYTHONPATH=path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, NO_PROXY="127.0.0.1")
    assert ran.code == 0, ran.err
    sent = await collector.named("send work")
    attempt = await collector.named("process work")
    assert (sent.kind, sent.attributes["messaging.message.id"]) == ("PRODUCER", "a")
    assert (attempt.trace_id, attempt.parent_id) == (sent.trace_id, sent.span_id)


async def test_what_was_not_sent_yet_is_sent_when_a_runner_drains(
    programs: Programs, queue: Queue, collector: Collector
) -> None:
    runner = await start(programs, collector, OTEL_BSP_SCHEDULE_DELAY="600000")
    await queue.push({"id": "a", "data": {"do": "trace"}})
    await queue.becomes("a", State.DONE)
    assert collector.spans == []
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0
    assert {span.name for span in collector.spans} == {"process work", "own step"}


@pytest.mark.parametrize("status", [200, 500])
async def test_a_collector_that_fails_disturbs_no_job_and_is_told_once(
    programs: Programs, queue: Queue, collector: Collector, status: int
) -> None:
    collector.status = status
    env = collector.env if status == 500 else {**collector.env, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    manifest = programs.manifest(handlers="handlers_for_traces")
    runner = await programs.runner(manifest, **env, OTEL_EXPORTER_OTLP_TIMEOUT="1", EDWORKERS_GRACE_SECONDS="2")
    for at in range(3):
        await queue.push({"id": f"j{at}", "data": {}})
        await queue.becomes(f"j{at}", State.DONE)
    [line] = await runner.says("traces.lost")
    assert line["level"] == "warning"

    async def counted() -> bool:
        text = (await runner.get("/metrics"))[1]
        return 'edworkers_trace_spans_total{outcome="lost"} 3.0' in text

    await eventually(counted)
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0
    assert len(runner.seen("traces.lost")) == 1
    assert "opentelemetry" not in runner.text


async def test_where_traces_cant_be_sent_nothing_is_started(programs: Programs) -> None:
    manifest = programs.manifest(handlers="handlers_for_traces")
    wrong = {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    runner = await programs.start("run", "work", "--pool", str(manifest), **wrong)
    assert await runner.ended() == 2
    assert "OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317' is no address" in runner.text
    assert "OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' isn't spoken" in runner.text


async def test_where_tracing_is_off_the_producers_trace_context_is_passed_on(
    programs: Programs, redis_url: str
) -> None:
    webhook = Queue(redis_url, redis_url, "webhook")
    async with receiving(saying(OK)) as receiver:
        settings = {"WEBHOOK_SECRET": SECRET, "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
        runner = await programs.start("run", "webhook", **settings)
        await runner.says("runner.started")
        data = {"url": receiver.url, "event": "e", "payload": {}}
        await webhook.push({"id": "a", "traceparent": TRACED, "data": data})
        await webhook.becomes("a", State.DONE)
        assert f"traceparent: {TRACED}\r\n" in receiver.heads[0]
    [line] = await runner.says("job.done")
    assert "trace_id" not in line
    await webhook.close()


async def test_every_line_about_a_job_says_which_attempt_and_trace_it_belongs_to(
    programs: Programs, queue: Queue, collector: Collector
) -> None:
    runner = await start(programs, collector)
    await queue.push({"id": "a", "traceparent": TRACED, "data": {"do": "log"}})
    attempt = await collector.named("process work")
    await queue.push({"id": "b", "type": "plain", "data": {}})
    plain = await collector.named("process work", id="b")
    events = {
        "a": ("the library says something", "own.line", "from a thread", "from a task", "job.done"),
        "b": ("from a plain function", "job.done"),
    }
    for span, job in ((attempt, "a"), (plain, "b")):
        for event in events[job]:
            [line] = await runner.says(event, job=job)
            found = {name: line[name] for name in ("queue", "attempt", "trace_id", "span_id")}
            assert found == {"queue": "work", "attempt": 1, "trace_id": span.trace_id, "span_id": span.span_id}


async def test_a_line_is_one_json_object_even_with_tracebacks_in_it(programs: Programs, queue: Queue) -> None:
    runner = await programs.runner(programs.manifest(handlers="handlers_for_traces"))
    await queue.push({"id": "a", "maxAttempts": 1, "data": {"do": "raise"}})
    [buried] = await runner.says("job.buried")
    [line] = await runner.says("it went wrong")
    assert runner.text == ""  # nothing that isn't JSON
    assert "LookupError: no such pupil: [email]" in line["exception"]
    assert "\n" in line["exception"]
    assert (line["job"], line["queue"], line["attempt"]) == ("a", "work", 1)
    assert json.loads(json.dumps(buried))["reason"].startswith("line one")
