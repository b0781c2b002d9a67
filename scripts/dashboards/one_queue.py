"""One queue, from the jobs that wait to what became of them."""

from scripts.dashboards.board import Board
from scripts.dashboards.panels import RED, Panel, Row, on_or_off
from scripts.dashboards.queries import HERE, QUEUES, moved, per_queue, quantile, rate_of

_ATTEMPT = "edworkers_attempt_duration_seconds"
_LATENCY = "edworkers_queue_latency_seconds"
_USED = f"max by (queue, limit) (edworkers_limit_used{{{QUEUES}}})"
_MOST = f"max by (queue, limit) (edworkers_limit_max{{{QUEUES}}})"

_JOBS = Row(
    "Jobs",
    (
        Panel(
            "Jobs by state",
            "Where the jobs are. `delayed` wait for their time or their next attempt.",
            {"{{queue}} {{state}}": f"max by (queue, state) (edworkers_queue_jobs{{{QUEUES}}})"},
            alert="EdworkersQueueStuck",
        ),
        Panel(
            "Oldest job",
            "How long the oldest waiting job has waited.",
            {"{{queue}}": per_queue("edworkers_queue_oldest_seconds")},
            unit="s",
            alarms_at=900,
            alert="EdworkersOldestJobTooOld",
        ),
        Panel(
            "Moves",
            "Jobs a second, by what became of them. `reap` is jobs of lost runners, `defer` those that were put off.",
            {
                "{{queue}} {{verb}}": (
                    f"max by (queue, verb) (rate(edworkers_queue_moves_total{{{QUEUES}}}[$__rate_interval]))"
                )
            },
            unit="cps",
        ),
        Panel(
            "Paused or closed",
            "When somebody paused the queue, and when a limit or a service closed it for long.",
            {
                "{{queue}} paused": per_queue("edworkers_queue_paused"),
                "{{queue}} closed": per_queue("edworkers_queue_throttled"),
            },
            kind="state-timeline",
            height=6,
            alert="EdworkersQueuePausedForLong",
            more=on_or_off("yes"),
        ),
        Panel(
            "Groups that wait",
            "Groups of a fair queue that a limit of their own, or their circuit, keeps waiting.",
            {"{{queue}}": per_queue("edworkers_queue_groups_shut")},
            height=6,
        ),
        Panel(
            "Records of finished jobs",
            "What results and dead letters take in Redis. Beyond the pool's `retention.maxBytes` the oldest go.",
            {"{{queue}}": per_queue("edworkers_queue_record_bytes")},
            unit="bytes",
            height=6,
        ),
    ),
)
_ATTEMPTS = Row(
    "Attempts",
    (
        Panel(
            "Settled, by type",
            "Attempts a second, by the type of the job and what came of them.",
            {"{{type}} {{verb}}": rate_of("edworkers_jobs_settled_total", "type, verb")},
            unit="cps",
            stacked=True,
            alert="EdworkersFailureRatioHigh",
        ),
        Panel(
            "How long attempts take",
            "Half, 19 of 20, and 99 of 100 attempts take no longer than this.",
            {
                "50 %": quantile(0.5, _ATTEMPT, QUEUES, ""),
                "95 %": quantile(0.95, _ATTEMPT, QUEUES, ""),
                "99 %": quantile(0.99, _ATTEMPT, QUEUES, ""),
            },
            unit="s",
            exemplars=True,
        ),
        Panel(
            "How long jobs wait",
            "From a job's `time` to its first start; of jobs that say it.",
            {
                "50 %": quantile(0.5, _LATENCY, QUEUES, ""),
                "95 %": quantile(0.95, _LATENCY, QUEUES, ""),
                "99 %": quantile(0.99, _LATENCY, QUEUES, ""),
            },
            unit="s",
            exemplars=True,
        ),
        Panel(
            "Attempts by duration",
            "How many attempts took how long. Two bands mean two kinds of jobs, or a service that is slow at times.",
            {"{{le}}": f"sum by (le) (increase({_ATTEMPT}_bucket{{{QUEUES}}}[$__rate_interval]))"},
            kind="heatmap",
            width=12,
        ),
        Panel(
            "95th percentile by type",
            "How long 19 of 20 attempts take at most, by the type of the job.",
            {"{{type}}": quantile(0.95, _ATTEMPT, QUEUES, "type")},
            unit="s",
            width=12,
            exemplars=True,
        ),
    ),
)
_RUNNERS = Row(
    "Runners",
    (
        Panel(
            "Runners",
            "Runners that gave a sign of life within a minute.",
            {"{{queue}}": per_queue("edworkers_queue_runners")},
            width=6,
        ),
        Panel(
            "Slots in use",
            "The share of slots with a job in them: near 100 % more pods would do more, if limits allow it.",
            {
                "{{queue}}": (
                    f"sum by (queue) (edworkers_jobs_running{{{QUEUES}}}) "
                    f"/ (sum by (queue) (edworkers_job_slots{{{QUEUES}}}) > 0)"
                )
            },
            unit="percentunit",
            width=6,
            most=1,
        ),
        Panel(
            "Claimed, and calls of Redis",
            "Jobs taken a second, and the calls that this took: under load a call carries many jobs.",
            {
                "{{queue}} jobs": rate_of("edworkers_jobs_claimed_total", "queue"),
                "{{queue}} calls": rate_of("edworkers_queue_calls_total", "queue"),
            },
            unit="cps",
            width=6,
        ),
        Panel(
            "Lost leases, lost runners",
            "Leases lost by runners that still worked, and jobs taken back from runners that gave no sign of life.",
            {
                "{{queue}} leases": rate_of("edworkers_lease_losses_total", "queue"),
                "{{queue}} reaped": moved("reap"),
            },
            unit="cps",
            width=6,
            alert="EdworkersLeasesLost",
        ),
    ),
)
_OUTSIDE = Row(
    "Limits and services",
    (
        Panel(
            "Limits used",
            "How much of each limit is used by now. At 100 % the queue's jobs wait until the limit is reset.",
            {"{{queue}} {{limit}}": f"{_USED} / ({_MOST} > 0)"},
            unit="percentunit",
            kind="bargauge",
            warns_at=0.75,
            alarms_at=0.9,
            most=1,
            alert="EdworkersLimitNearlyUsedUp",
        ),
        Panel(
            "Circuits opened",
            "Circuits a minute that opened, as the service of a group was down.",
            {"{{queue}}": f"60 * {rate_of('edworkers_circuits_opened_total', 'queue')}"},
            unit="cpm",
            alert="EdworkersCircuitsOpening",
        ),
        Panel(
            "Answers to webhooks",
            "Deliveries a second, by the class of the answer; `none` where no answer came.",
            {"{{class}}": f"sum by (class) (rate(edworkers_webhook_answers_total{{{HERE}}}[$__rate_interval]))"},
            unit="cps",
            stacked=True,
            alert="EdworkersWebhooksFailing",
            more={
                "fieldConfig": {
                    "defaults": {"unit": "cps", "min": 0, "custom": {"stacking": {"mode": "normal", "group": "A"}}},
                    "overrides": [
                        {
                            "matcher": {"id": "byRegexp", "options": "5xx|none"},
                            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": RED}}],
                        }
                    ],
                }
            },
        ),
    ),
)

ONE_QUEUE = Board(
    "queue",
    "edworkers: a queue",
    "One queue, or some, from the jobs that wait to what became of them.",
    (_JOBS, _ATTEMPTS, _RUNNERS, _OUTSIDE),
)
