"""All queues at a glance, and what serves them."""

from scripts.dashboards.board import Board
from scripts.dashboards.panels import Panel, Row, columns, on_or_off
from scripts.dashboards.queries import QUEUES, failure_ratio, jobs, moved, per_queue, quantile
from scripts.dashboards.serving import KEEPER, OPERATOR, SERVER

_FIRING = 'ALERTS{alertname=~"Edworkers.+", alertstate="firing"}'
_RUNBOOK = {"title": "Runbook", "url": "${runbooks}/${__data.fields.Alert}.md", "targetBlank": True}
_LINKED = {"matcher": {"id": "byName", "options": "Alert"}, "properties": [{"id": "links", "value": [_RUNBOOK]}]}
_ALERTS = columns(
    {"alertname": "Alert", "severity": "Severity", "queue": "Queue", "pool": "Pool"},
    ["__name__", "Value", "alertstate", "instance", "job", "container", "endpoint", "prometheus"],
)
_ALERTS["fieldConfig"]["overrides"] = [_LINKED]

_NOW = Row(
    "Now",
    (
        Panel(
            "Waiting", "Jobs that wait in all queues.", {"": f"sum({jobs('pending')})"}, kind="stat", width=3, height=4
        ),
        Panel("Running", "Jobs that run now.", {"": f"sum({jobs('inflight')})"}, kind="stat", width=3, height=4),
        Panel(
            "Oldest job",
            "How long the job that has waited longest has waited. This is what users feel.",
            {"": f"max({per_queue('edworkers_queue_oldest_seconds')})"},
            unit="s",
            kind="stat",
            width=3,
            height=4,
            warns_at=300,
            alarms_at=900,
            alert="EdworkersOldestJobTooOld",
        ),
        Panel(
            "Done",
            "Jobs done well, a second.",
            {"": f"sum({moved('ack')})"},
            unit="cps",
            kind="stat",
            width=3,
            height=4,
        ),
        Panel(
            "Attempts that fail",
            "The share of attempts that failed, whether they are tried again or given up.",
            {"": failure_ratio("")},
            unit="percentunit",
            kind="stat",
            width=3,
            height=4,
            warns_at=0.1,
            alarms_at=0.25,
            alert="EdworkersFailureRatioHigh",
        ),
        Panel(
            "Dead letters",
            "Jobs that were given up and not replayed or deleted yet.",
            {"": f"sum({jobs('dead')})"},
            kind="stat",
            width=3,
            height=4,
            warns_at=1,
            alert="EdworkersDeadLettersRising",
        ),
        Panel(
            "Runners",
            "Runners that gave a sign of life within a minute.",
            {"": f"sum({per_queue('edworkers_queue_runners')})"},
            kind="stat",
            width=3,
            height=4,
        ),
        Panel(
            "Last count",
            "How long ago a keeper counted the queue that was counted longest ago: more than two minutes is too long.",
            {"": f"time() - min({per_queue('edworkers_queue_counted_timestamp_seconds')})"},
            unit="s",
            kind="stat",
            width=3,
            height=4,
            warns_at=60,
            alarms_at=120,
            alert="EdworkersKeeperStale",
        ),
        Panel(
            "Alerts",
            "What fires now. Each leads to its runbook.",
            {"": _FIRING},
            kind="table",
            width=12,
            height=8,
            more=_ALERTS,
        ),
        Panel(
            "Queues",
            "Where the jobs of each queue are.",
            {
                "waiting": jobs("pending"),
                "running": jobs("inflight"),
                "delayed": jobs("delayed"),
                "dead": jobs("dead"),
                "oldest": per_queue("edworkers_queue_oldest_seconds"),
            },
            kind="table",
            width=12,
            height=8,
            more=columns(
                {
                    "queue": "Queue",
                    "Value #A": "Waiting",
                    "Value #B": "Running",
                    "Value #C": "Delayed",
                    "Value #D": "Dead",
                    "Value #E": "Oldest",
                },
                ["namespace"],
                {"Oldest": "s"},
            ),
        ),
    ),
)
_OVER_TIME = Row(
    "Queues over time",
    (
        Panel("Waiting jobs", "Jobs that wait, by queue.", {"{{queue}}": jobs("pending")}),
        Panel(
            "Oldest job",
            "How long the oldest job of each queue has waited.",
            {"{{queue}}": per_queue("edworkers_queue_oldest_seconds")},
            unit="s",
            alarms_at=900,
            alert="EdworkersOldestJobTooOld",
        ),
        Panel("Running jobs", "Jobs that run, by queue.", {"{{queue}}": jobs("inflight")}, stacked=True),
        Panel("Done", "Jobs done well, a second, by queue.", {"{{queue}}": moved("ack")}, unit="cps", stacked=True),
        Panel(
            "Attempts that fail",
            "The share of attempts that failed, by queue.",
            {"{{queue}}": failure_ratio("namespace, queue")},
            unit="percentunit",
            alarms_at=0.25,
            most=1,
            alert="EdworkersFailureRatioHigh",
        ),
        Panel(
            "Dead letters",
            "Jobs that were given up, by queue.",
            {"{{queue}}": jobs("dead")},
            alert="EdworkersDeadLettersRising",
        ),
        Panel(
            "Attempts, 95th percentile",
            "How long 19 of 20 attempts take at most, by queue.",
            {"{{queue}}": quantile(0.95, "edworkers_attempt_duration_seconds", QUEUES, "queue")},
            unit="s",
            exemplars=True,
        ),
        Panel(
            "From enqueue to start, 95th percentile",
            "How long 19 of 20 jobs wait at most before they are begun first; of jobs that say their `time`.",
            {"{{queue}}": quantile(0.95, "edworkers_queue_latency_seconds", QUEUES, "queue")},
            unit="s",
            exemplars=True,
        ),
        Panel(
            "Closed queues",
            "Queues that a limit or a service keeps closed for long. Their jobs wait, and pools go to zero.",
            {"{{queue}}": per_queue("edworkers_queue_throttled")},
            kind="state-timeline",
            alert="EdworkersQueueClosedForLong",
            more=on_or_off("closed"),
        ),
    ),
)
OVERVIEW = Board(
    "overview",
    "edworkers: overview",
    "All queues at a glance, and the server, the keeper and the operator beside them.",
    (_NOW, _OVER_TIME, SERVER, KEEPER, OPERATOR),
)
