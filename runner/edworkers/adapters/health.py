"""A runner's own HTTP endpoints: `/livez`, `/readyz` and `/metrics`, from a thread that always answers."""

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from edworkers.core.errors import SettingsError
from edworkers.core.stats import Stats
from edworkers.ports import Depths

_PATIENCE_SECONDS = 10
"""For how long a client may keep a thread waiting for its request."""

Check = Callable[[], str | None]
"""Says what is wrong, or nothing."""


class StatsCollector(Collector):
    """Gives a runner's figures to Prometheus when it asks."""

    def __init__(self, stats: Stats, running: Callable[[], int]) -> None:
        self._stats = stats
        self._running = running

    def collect(self) -> Iterable[Metric]:
        """Give each metric, labelled by queue."""
        stats, labels = self._stats, [self._stats.queue]
        claimed = CounterMetricFamily("edworkers_jobs_claimed", "Jobs taken from the queue", labels=["queue"])
        claimed.add_metric(labels, stats.claimed)
        settled = CounterMetricFamily("edworkers_jobs_settled", "Jobs settled, by verb", labels=["queue", "verb"])
        for verb, count in list(stats.settled.items()):
            settled.add_metric([*labels, verb], count)
        lost = CounterMetricFamily("edworkers_lease_losses", "Leases lost while a job ran", labels=["queue"])
        lost.add_metric(labels, stats.lease_losses)
        opened = CounterMetricFamily("edworkers_circuits_opened", "Circuits of groups opened", labels=["queue"])
        opened.add_metric(labels, stats.circuits_opened)
        cycles = CounterMetricFamily("edworkers_queue_calls", "Calls that settle and claim", labels=["queue"])
        cycles.add_metric(labels, stats.cycles)
        running = GaugeMetricFamily("edworkers_jobs_running", "Jobs that run in this process", labels=["queue"])
        running.add_metric(labels, self._running())
        attempt = HistogramMetricFamily("edworkers_attempt_seconds", "How long attempts ran", labels=["queue"])
        attempt.add_metric(labels, stats.attempt.cumulative(), stats.attempt.total)
        latency = HistogramMetricFamily(
            "edworkers_queue_latency_seconds", "From a job's `time` to its first start", labels=["queue"]
        )
        latency.add_metric(labels, stats.latency.cumulative(), stats.latency.total)
        return [claimed, settled, lost, opened, cycles, running, attempt, latency]


class QueueCollector(Collector):
    """Gives to Prometheus how the queues stood when they were last counted.

    Each keeper counts the same queues, so that of several the figures are to be taken once (`max by (queue)`).
    """

    LONGEST_SECONDS = 60
    """What was counted longer ago isn't told any more: what couldn't be counted is never zero."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._counted: dict[str, tuple[float, Depths]] = {}

    def note(self, depths: Depths) -> None:
        """Take what was counted now."""
        self._counted[depths.queue] = (self._now(), depths)

    def only(self, queues: Collection[str]) -> None:
        """Forget all other queues."""
        self._counted = {queue: counted for queue, counted in self._counted.items() if queue in queues}

    def collect(self) -> Iterable[Metric]:
        """Give each metric, labelled by queue."""
        counted = list(self._counted.values())
        at = GaugeMetricFamily(
            "edworkers_queue_counted_timestamp_seconds", "When the queue was last counted", labels=["queue"]
        )
        for seconds, depths in counted:
            at.add_metric([depths.queue], seconds)
        fresh = [depths for seconds, depths in counted if self._now() - seconds <= self.LONGEST_SECONDS]
        return [at, _jobs(fresh), _moves(fresh), *_by_queue(fresh)]


def _jobs(counted: Sequence[Depths]) -> Metric:
    jobs = GaugeMetricFamily("edworkers_queue_jobs", "Jobs of the queue, by state", labels=["queue", "state"])
    for depths in counted:
        states = {
            "pending": depths.pending,
            "inflight": depths.inflight,
            "delayed": depths.delayed,
            "dead": depths.dead,
        }
        for state, count in states.items():
            jobs.add_metric([depths.queue, state], count)
    return jobs


def _moves(counted: Sequence[Depths]) -> Metric:
    moves = CounterMetricFamily(
        "edworkers_queue_moves", "Moves of jobs since the queue began, by verb", labels=["queue", "verb"]
    )
    for depths in counted:
        for verb, count in depths.totals.items():
            if verb != "recordBytes":
                moves.add_metric([depths.queue, verb], count)
    return moves


_GAUGES: tuple[tuple[str, str, Callable[[Depths], float]], ...] = (
    ("oldest_seconds", "How long the oldest waiting job has waited", lambda depths: depths.oldest_seconds or 0.0),
    ("paused", "1 while the queue is paused", lambda depths: depths.paused),
    ("throttled", "1 while a limit or a service keeps it closed for long", lambda depths: depths.throttled),
    ("runners", "Runners that gave a sign of life within a minute", lambda depths: depths.runners),
    (
        "record_bytes",
        "What the records of finished jobs take",
        lambda depths: max(depths.totals.get("recordBytes", 0), 0),
    ),
)


def _by_queue(counted: Sequence[Depths]) -> Iterable[Metric]:
    for name, what, read in _GAUGES:
        gauge = GaugeMetricFamily(f"edworkers_queue_{name}", what, labels=["queue"])
        for depths in counted:
            gauge.add_metric([depths.queue], read(depths))
        yield gauge


class Pulse:
    """Tells from another thread whether an event loop still turns."""

    LONGEST_SECONDS = 30

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._beat()

    def _beat(self) -> None:
        self._last = time.monotonic()
        self._loop.call_later(1, self._beat)

    def fault(self) -> str | None:
        """Say for how long it has stood still, if that is too long."""
        still = time.monotonic() - self._last
        return f"the event loop has been blocked for {still:.0f} s" if still > self.LONGEST_SECONDS else None


class HealthServer:
    """Serves one process; `port` 0 takes a free one. Raises SettingsError where it can't listen there."""

    def __init__(self, host: str, port: int, *, alive: Check, ready: Check, collector: Collector | None = None) -> None:
        self._host = host
        registry = CollectorRegistry()
        if collector is not None:
            registry.register(collector)

        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE_SECONDS

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/metrics":
                    self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
                elif path in {"/livez", "/readyz"}:
                    fault = (alive if path == "/livez" else ready)()
                    self._answer(503 if fault else 200, f"{fault or 'ok'}\n".encode(), "text/plain; charset=utf-8")
                else:
                    self._answer(404, b"only /livez, /readyz and /metrics are here\n", "text/plain; charset=utf-8")

            def _answer(self, status: int, body: bytes, content_type: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = _listen(host, port, Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens, as `host:port`."""
        return f"{self._host}:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


def _listen(host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    try:
        return ThreadingHTTPServer((host, port), handler)
    except OSError as error:
        why = error.strerror or str(error)
        fault = f"EDWORKERS_HEALTH_HOST, EDWORKERS_HEALTH_PORT: can't listen on {host}:{port}: {why}"
        raise SettingsError("nothing was started, for these settings can't be used:", [fault]) from error
