"""Every metric of the table is told by the processes that it names, in both of Prometheus' formats."""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from prometheus_client.samples import Sample
from tests.integration.otlp_receiver import Collector, collecting
from tests.integration.processes import Program, Programs, Queue, eventually
from tests.integration.webhook_receivers import SECRET, receiving, saying

from edworkers.core.lifecycle import State
from edworkers.core.metric_names import METRICS
from edworkers.standins.free_port import free_port
from edworkers.standins.gemini import GeminiStandin

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
_PREFIX = "edworkers_"
_SUFFIXES = ("_bucket", "_sum", "_count", "_created")


@dataclass(frozen=True)
class Scrape:
    """The samples of one answer to a scrape."""

    samples: list[Sample]

    @classmethod
    async def of(cls, address: str, accept: str) -> "Scrape":
        """Scrape a process, and check that it answers in the format that it was asked for."""
        async with httpx2.AsyncClient() as client:
            answer = await client.get(f"http://{address}/metrics", headers={"Accept": accept})
        assert answer.status_code == 200
        assert answer.headers["content-type"].partition(";")[0] == accept.partition(";")[0]
        read: Callable[[str], Iterable[Family]] = read_openmetrics if accept == OPENMETRICS else read_text
        return cls([sample for family in read(answer.text) for sample in family.samples])

    def labels(self) -> dict[str, set[str]]:
        """Give the names of our metrics as the table has them, with the names of their labels."""
        return {
            _plain(sample.name): set(sample.labels) - {"le"}
            for sample in self.samples
            if sample.name.startswith(_PREFIX) and not sample.name.endswith("_created")
        }

    def value(self, name: str, **labels: str) -> float | None:
        """Give a sample's value, if it is there."""
        return next((s.value for s in self.samples if s.name == name and s.labels == labels), None)

    def exemplars(self, name: str) -> set[str]:
        """Give the traces of a histogram's exemplars."""
        return {s.exemplar.labels["trace_id"] for s in self.samples if s.name == f"{name}_bucket" and s.exemplar}


def _plain(name: str) -> str:
    histograms = {metric.name for metric in METRICS if metric.type == "histogram"}
    return next((name.removesuffix(end) for end in _SUFFIXES if name.removesuffix(end) in histograms), name)


def told_by(process: str) -> dict[str, set[str]]:
    return {metric.name: set(metric.labels) for metric in METRICS if process in metric.told_by}


def health(runner: Program) -> str:
    address: str = runner.seen("runner.started")[0]["health"]
    return address


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


@pytest.fixture
async def at_work(programs: Programs, redis_url: str, collector: Collector) -> AsyncIterator[list[str]]:
    """Runners that answered a question and delivered the answer; gives where they are to be scraped."""
    ai, webhook = Queue(redis_url, redis_url, "ai"), Queue(redis_url, redis_url, "webhook")
    async with GeminiStandin.serve() as gemini, receiving(saying(OK)) as receiver:
        settings = {
            "GEMINI_API_KEY": "any-key",
            "GEMINI_BASE_URL": gemini.url,
            "WEBHOOK_SECRET": SECRET,
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            **collector.env,
        }
        runners = [await programs.start("run", name, **settings) for name in ("ai", "webhook")]
        for runner in runners:
            await runner.says("runner.started")
        data = {"conversationId": "c", "userId": "u", "prompt": "p", "webhookUrl": receiver.url}
        times = {"time": "2020-01-01T00:00:00Z", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        await ai.push({"id": "q", **times, "data": data})
        await webhook.becomes("q.ai.webhook", State.DONE)
        yield [health(runner) for runner in runners]
    await ai.close()
    await webhook.close()


@pytest.mark.parametrize("accept", ["text/plain", OPENMETRICS])
async def test_runners_tell_every_metric_that_is_theirs(at_work: list[str], accept: str) -> None:
    told: dict[str, set[str]] = {}

    async def all_told() -> bool:
        for address in at_work:
            told.update((await Scrape.of(address, accept)).labels())
        return told.keys() >= told_by("runner").keys()

    await eventually(all_told)
    assert told == told_by("runner")


async def test_what_runners_did_is_counted(at_work: list[str]) -> None:
    ai, webhook = [await Scrape.of(address, OPENMETRICS) for address in at_work]
    assert ai.value("edworkers_jobs_settled_total", queue="ai", type="", verb="ack") == 1
    assert ai.value("edworkers_job_slots", queue="ai") == 3
    assert ai.value("edworkers_attempt_duration_seconds_count", queue="ai", type="") == 1
    assert (ai.value("edworkers_ai_tokens_total", model="gemini-2.5-flash", kind="prompt") or 0) > 0
    assert (ai.value("edworkers_ai_tokens_total", model="gemini-2.5-flash", kind="answer") or 0) > 0
    assert webhook.value("edworkers_webhook_answers_total", **{"class": "2xx"}) == 1
    assert webhook.value("edworkers_webhook_answers_total", **{"class": "none"}) == 0


async def test_the_trace_of_an_observation_is_its_exemplar(at_work: list[str]) -> None:
    ai, webhook = [await Scrape.of(address, OPENMETRICS) for address in at_work]
    for scrape in (ai, webhook):
        assert scrape.exemplars("edworkers_attempt_duration_seconds") == {TRACE}
        assert scrape.exemplars("edworkers_queue_latency_seconds") == {TRACE}


async def keeper_of(programs: Programs, **spec: Any) -> Program:
    manifest = programs.manifest(**spec)
    port = str(free_port())
    keeper = await programs.start("keeper", "work", "--pool", str(manifest), EDWORKERS_HEALTH_PORT=port)
    await keeper.says("keeper.started")
    return keeper


@pytest.mark.parametrize("accept", ["text/plain", OPENMETRICS])
async def test_a_keeper_tells_every_metric_that_is_its_own(programs: Programs, queue: Queue, accept: str) -> None:
    limits = [
        {"name": "day", "limit": 10, "window": "day"},
        {"name": "each", "limit": 5, "window": "day", "per": "group"},
    ]
    groups = {"by": "school"}
    await programs.runner(programs.manifest(limits=limits, groups=groups))
    await queue.push({"id": "a", "data": {}})
    await queue.becomes("a", State.DONE)
    keeper = await keeper_of(programs, limits=limits, groups=groups)
    address = keeper.health or ""

    async def all_told() -> bool:
        return (await Scrape.of(address, accept)).labels().keys() >= told_by("keeper").keys()

    await eventually(all_told)
    scrape = await Scrape.of(address, accept)
    assert scrape.labels() == told_by("keeper")
    assert scrape.value("edworkers_limit_used", queue="work", limit="day") == 1
    assert scrape.value("edworkers_limit_max", queue="work", limit="day") == 10
    assert (scrape.value("edworkers_limit_reset_timestamp_seconds", queue="work", limit="day") or 0) > 1_700_000_000
    # How many groups there are nobody knows, so their limits are not told.
    assert {s.labels["limit"] for s in scrape.samples if s.name == "edworkers_limit_used"} == {"day"}
    assert scrape.value("edworkers_keeper_failures_total", queue="work", step="sample") == 0
    assert (scrape.value("edworkers_keeper_rounds_total", queue="work") or 0) > 0


@pytest.mark.parametrize("accept", ["text/plain", OPENMETRICS])
async def test_a_server_tells_every_metric_that_is_its_own(programs: Programs, queue: Queue, accept: str) -> None:
    await queue.push({"id": "a", "data": {"do": "sleep", "seconds": 600}})
    address = f"127.0.0.1:{free_port()}"
    words = ("--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--pool", str(programs.manifest()))
    server = await programs.start("server", *words, EDWORKERS_SERVER_AUTH="none")
    await server.says("server.started")
    await programs.runner(programs.manifest())
    await queue.began()
    events = "/v1/queues/work/jobs/a/events"
    async with httpx2.AsyncClient() as client, client.stream("GET", f"http://{address}{events}") as stream:
        assert stream.status_code == 200
        assert (await client.get(f"http://{address}/v1/queues/unknown")).status_code == 404
        assert (await client.get(f"http://{address}/nowhere")).status_code == 404
        scrape = await Scrape.of(address, accept)
    assert scrape.labels() == told_by("server")
    assert scrape.value("edworkers_http_requests_active") == 2  # the stream, and the scrape itself
    durations = [s for s in scrape.samples if s.name == "edworkers_http_request_duration_seconds_count"]
    refused = {s.labels["route"].removeprefix("/v1") for s in durations if s.labels["status"] == "4xx"}
    assert refused == {"/queues/{queue}", "unknown"}


async def test_types_that_no_handler_is_for_add_no_series(programs: Programs, queue: Queue) -> None:
    runner = await programs.runner(programs.manifest(handlers="handlers_for_traces"))
    for at in range(5):
        await queue.push({"id": f"j{at}", "type": f"made-up-{at}", "data": {}})
        await queue.becomes(f"j{at}", State.DONE)
    await queue.push({"id": "plain", "type": "plain", "data": {}})
    await queue.becomes("plain", State.DONE)
    scrape = await Scrape.of(health(runner), OPENMETRICS)
    types = {s.labels["type"] for s in scrape.samples if s.name == "edworkers_jobs_settled_total"}
    assert types == {"", "plain", "apart"}
    assert scrape.value("edworkers_jobs_settled_total", queue="work", type="", verb="ack") == 5
    assert scrape.value("edworkers_jobs_settled_total", queue="work", type="plain", verb="ack") == 1


async def test_what_a_job_counts_in_a_process_of_its_own_is_told_by_its_runner(
    programs: Programs, redis_url: str
) -> None:
    webhook = Queue(redis_url, redis_url, "webhook")
    async with receiving(saying(OK)) as receiver:
        manifest = programs.manifest("webhook", handlers="edworkers.handlers.webhook", job={"isolation": "process"})
        settings = {"WEBHOOK_SECRET": SECRET, "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
        runner = await programs.runner(manifest, **settings)
        await webhook.push({"id": "a", "data": {"url": receiver.url, "event": "e", "payload": {}}})
        await webhook.becomes("a", State.DONE)
        scrape = await Scrape.of(health(runner), OPENMETRICS)
    assert scrape.value("edworkers_webhook_answers_total", **{"class": "2xx"}) == 1
    await webhook.close()
