"""Every metric that a process of edworkers tells Prometheus: its name, type, labels and what it counts.

What collects them is built from this table, and docs/reference/metrics.md is written from it.
"""

from typing import Literal, NamedTuple

Process = Literal["runner", "keeper", "server", "operator"]


class Metric(NamedTuple):
    """One metric."""

    name: str
    """As it is scraped; of a histogram without `_bucket`, `_sum` and `_count`."""
    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    told_by: tuple[Process, ...]
    bounds: tuple[float, ...] = ()
    """Of a histogram: the upper bounds of its buckets, in seconds, but for the last, which is infinite."""
    exemplars: bool = False
    """Whether a scrape in the OpenMetrics format gives the trace of an observation with its bucket."""


_ATTEMPT_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_LATENCY_BOUNDS = (0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)
_HTTP_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_RECONCILE_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_ALL: tuple[Process, ...] = ("runner", "keeper", "server", "operator")
_RUNNER: tuple[Process, ...] = ("runner",)
_KEEPER: tuple[Process, ...] = ("keeper",)
_KEEPING: tuple[Process, ...] = ("runner", "keeper")
_SERVER: tuple[Process, ...] = ("server",)
_OPERATOR: tuple[Process, ...] = ("operator",)

BUILD = Metric(
    "edworkers_build_info", "gauge", ("version", "python"), "1, with the versions of edworkers and of Python", _ALL
)

CLAIMED = Metric("edworkers_jobs_claimed_total", "counter", ("queue",), "Jobs taken from the queue", _RUNNER)
SETTLED = Metric(
    "edworkers_jobs_settled_total",
    "counter",
    ("queue", "type", "verb"),
    "Jobs settled, by verb: ack, retry, defer, bury, cancel, release, duplicate",
    _RUNNER,
)
RUNNING = Metric("edworkers_jobs_running", "gauge", ("queue",), "Jobs that run in this process", _RUNNER)
SLOTS = Metric("edworkers_job_slots", "gauge", ("queue",), "Jobs that may run in this process at once", _RUNNER)
LEASE_LOSSES = Metric("edworkers_lease_losses_total", "counter", ("queue",), "Leases lost while a job ran", _RUNNER)
CIRCUITS_OPENED = Metric("edworkers_circuits_opened_total", "counter", ("queue",), "Circuits of groups opened", _RUNNER)
QUEUE_CALLS = Metric("edworkers_queue_calls_total", "counter", ("queue",), "Calls that settle and claim", _RUNNER)
ATTEMPT_DURATION = Metric(
    "edworkers_attempt_duration_seconds",
    "histogram",
    ("queue", "type"),
    "How long attempts ran",
    _RUNNER,
    _ATTEMPT_BOUNDS,
    exemplars=True,
)
QUEUE_LATENCY = Metric(
    "edworkers_queue_latency_seconds",
    "histogram",
    ("queue", "type"),
    "From a job's `time` to its first start; of jobs that say it",
    _RUNNER,
    _LATENCY_BOUNDS,
    exemplars=True,
)
AI_TOKENS = Metric(
    "edworkers_ai_tokens_total",
    "counter",
    ("model", "kind"),
    "Tokens used by the queue ai, by kind: prompt, answer, or thought, which no answer shows",
    _RUNNER,
)
WEBHOOK_ANSWERS = Metric(
    "edworkers_webhook_answers_total",
    "counter",
    ("class",),
    "Answers to webhook deliveries, by class: 2xx, 3xx, 4xx, 5xx, or none where no answer came",
    _RUNNER,
)

SPANS = Metric(
    "edworkers_trace_spans_total",
    "counter",
    ("outcome",),
    "Spans of traces, where they are sent, by outcome: sent, or lost where the collector didn't take them",
    _RUNNER,
)

KEEPER_ROUNDS = Metric(
    "edworkers_keeper_rounds_total", "counter", ("queue",), "Rounds in which the queue was kept", _KEEPING
)
KEEPER_MOVED = Metric(
    "edworkers_keeper_moved_total",
    "counter",
    ("queue", "step"),
    "What rounds moved or mended, by step: promote, reap, sort, forward, trim, repair",
    _KEEPING,
)
KEEPER_FAILURES = Metric(
    "edworkers_keeper_failures_total", "counter", ("queue", "step"), "Steps of rounds that failed", _KEEPING
)

QUEUE_COUNTED = Metric(
    "edworkers_queue_counted_timestamp_seconds", "gauge", ("queue",), "When the queue was last counted", _KEEPER
)
QUEUE_JOBS = Metric(
    "edworkers_queue_jobs",
    "gauge",
    ("queue", "state"),
    "Jobs of the queue, by state: pending, inflight, delayed, dead",
    _KEEPER,
)
QUEUE_MOVES = Metric(
    "edworkers_queue_moves_total",
    "counter",
    ("queue", "verb"),
    "Moves of jobs since the queue began, by verb",
    _KEEPER,
)
QUEUE_OLDEST = Metric(
    "edworkers_queue_oldest_seconds", "gauge", ("queue",), "How long the oldest waiting job has waited", _KEEPER
)
QUEUE_PAUSED = Metric("edworkers_queue_paused", "gauge", ("queue",), "1 while the queue is paused", _KEEPER)
QUEUE_THROTTLED = Metric(
    "edworkers_queue_throttled",
    "gauge",
    ("queue",),
    "1 while a limit or a service keeps it closed for long",
    _KEEPER,
)
QUEUE_GROUPS_SHUT = Metric(
    "edworkers_queue_groups_shut",
    "gauge",
    ("queue",),
    "Groups that a limit of their own or their circuit keeps waiting",
    _KEEPER,
)
QUEUE_RUNNERS = Metric(
    "edworkers_queue_runners", "gauge", ("queue",), "Runners that gave a sign of life within a minute", _KEEPER
)
QUEUE_RECORD_BYTES = Metric(
    "edworkers_queue_record_bytes", "gauge", ("queue",), "What the records of finished jobs take", _KEEPER
)

LIMIT_USED = Metric(
    "edworkers_limit_used", "gauge", ("queue", "limit"), "How much of the limit's window is used by now", _KEEPER
)
LIMIT_MAX = Metric("edworkers_limit_max", "gauge", ("queue", "limit"), "How much of it may be used", _KEEPER)
LIMIT_RESET = Metric(
    "edworkers_limit_reset_timestamp_seconds",
    "gauge",
    ("queue", "limit"),
    "When the window ends; of a rolling minute, when the first of it comes back",
    _KEEPER,
)

HTTP_DURATION = Metric(
    "edworkers_http_request_duration_seconds",
    "histogram",
    ("method", "route", "status"),
    "How long requests took, by the route's template and the class of the status, such as 2xx",
    _SERVER,
    _HTTP_BOUNDS,
    exemplars=True,
)
HTTP_ACTIVE = Metric(
    "edworkers_http_requests_active",
    "gauge",
    (),
    "Requests that are being answered, and streams of events that are open",
    _SERVER,
)

OPERATOR_RECONCILES = Metric(
    "edworkers_operator_reconciles_total",
    "counter",
    ("outcome",),
    "Reconciles of a pool, by outcome: done, failed",
    _OPERATOR,
)
OPERATOR_RECONCILE_DURATION = Metric(
    "edworkers_operator_reconcile_duration_seconds",
    "histogram",
    (),
    "How long a reconcile took",
    _OPERATOR,
    _RECONCILE_BOUNDS,
)
OPERATOR_LEADS = Metric("edworkers_operator_leads", "gauge", (), "1 while this operator is active", _OPERATOR)
OPERATOR_CRD_MATCHES = Metric(
    "edworkers_operator_crd_matches", "gauge", (), "1 if the CRD is the one this was built for", _OPERATOR
)
OPERATOR_UNREADABLE = Metric(
    "edworkers_operator_queues_unreadable_total", "counter", (), "Times a queue couldn't be counted", _OPERATOR
)
OPERATOR_WORK_QUEUE_DEPTH = Metric(
    "edworkers_operator_work_queue_depth", "gauge", (), "Pools that wait for a reconcile", _OPERATOR
)
OPERATOR_POOLS = Metric("edworkers_operator_pools", "gauge", (), "Pools that are known", _OPERATOR)
OPERATOR_CONDITION = Metric(
    "edworkers_operator_pool_condition",
    "gauge",
    ("pool_namespace", "pool", "condition", "status"),
    "1 for the status that a pool's condition has: True, False or Unknown",
    _OPERATOR,
)

METRICS = tuple(found for found in list(globals().values()) if isinstance(found, Metric))
"""All of them, in the order in which they are told."""
