"""What serves the queues: the HTTP server, the keeper and the operator."""

from scripts.dashboards.panels import GREEN, RED, Panel, Row, columns
from scripts.dashboards.queries import HERE, QUEUES, quantile

_REQUESTS = "edworkers_http_request_duration_seconds"
SERVER = Row(
    "HTTP server",
    (
        Panel(
            "Requests",
            "Requests a second, by the class of their status.",
            {"{{status}}": f"sum by (status) (rate({_REQUESTS}_count{{{HERE}}}[$__rate_interval]))"},
            unit="reqps",
            width=6,
            stacked=True,
            alert="EdworkersServerErrors",
        ),
        Panel(
            "Requests, 99th percentile",
            "How long 99 of 100 requests take at most, by route; of streams, until they begin.",
            {"{{method}} {{route}}": quantile(0.99, _REQUESTS, HERE, "method, route")},
            unit="s",
            width=10,
            alert="EdworkersServerSlow",
            exemplars=True,
        ),
        Panel(
            "Requests now",
            "Requests that are being answered; streams of server-sent events are among them as long as they are open.",
            {"": f"sum(edworkers_http_requests_active{{{HERE}}})"},
        ),
    ),
)
KEEPER = Row(
    "Keeper",
    (
        Panel(
            "Rounds",
            "Rounds a second in which each queue was kept: by runners and keepers together, each about one a second.",
            {"{{queue}}": f"sum by (queue) (rate(edworkers_keeper_rounds_total{{{QUEUES}}}[$__rate_interval]))"},
            unit="cps",
        ),
        Panel(
            "Moved",
            "What rounds moved or mended, by step. `reap` is jobs of lost runners, `repair` what was broken by hand.",
            {"{{step}}": f"sum by (step) (rate(edworkers_keeper_moved_total{{{QUEUES}}}[$__rate_interval]))"},
            unit="cps",
            alert="EdworkersRunnersLost",
        ),
        Panel(
            "Steps that fail",
            "Steps of rounds that failed, by queue.",
            {
                "{{queue}} {{step}}": (
                    f"sum by (queue, step) (rate(edworkers_keeper_failures_total{{{QUEUES}}}[$__rate_interval]))"
                )
            },
            unit="cps",
            alert="EdworkersKeeperFailing",
        ),
    ),
)
OPERATOR = Row(
    "Operator",
    (
        Panel(
            "Leaders",
            "Replicas of the operator that work: there should be one.",
            {"": "sum(edworkers_operator_leads)"},
            kind="stat",
            width=3,
            height=4,
            alert="EdworkersOperatorNoLeader",
            more={
                "fieldConfig": {
                    "defaults": {
                        "unit": "short",
                        "thresholds": {
                            "mode": "absolute",
                            "steps": [{"color": RED, "value": None}, {"color": GREEN, "value": 1}],
                        },
                    },
                    "overrides": [],
                }
            },
        ),
        Panel(
            "Pools",
            "WorkerPools that the operator knows.",
            {"": "max(edworkers_operator_pools)"},
            kind="stat",
            width=3,
            height=4,
        ),
        Panel(
            "CRD",
            "Whether the CRD in the cluster is the one that the operator was built for.",
            {"": "min(edworkers_operator_crd_matches)"},
            kind="stat",
            width=3,
            height=4,
            alert="EdworkersCRDDiffers",
            more={
                "fieldConfig": {
                    "defaults": {
                        "unit": "short",
                        "mappings": [
                            {
                                "type": "value",
                                "options": {
                                    "0": {"text": "differs", "color": RED},
                                    "1": {"text": "matches", "color": GREEN},
                                },
                            }
                        ],
                    },
                    "overrides": [],
                }
            },
        ),
        Panel(
            "Versions",
            "Processes by the version of edworkers that they run. During an upgrade there are two.",
            {"{{version}}": f"count by (version) (edworkers_build_info{{{HERE}}})"},
            kind="stat",
            width=3,
            height=4,
        ),
        Panel(
            "Pools that are not ready",
            "Pools whose condition Ready is False; `kubectl get workerpools` has the reason.",
            {
                "": (
                    "max by (namespace, pool) "
                    '(edworkers_operator_pool_condition{condition="Ready", status="False"}) > 0'
                )
            },
            kind="table",
            width=12,
            height=4,
            alert="EdworkersPoolNotReady",
            more=columns({"namespace": "Namespace", "pool": "Pool"}, ["Value"]),
        ),
        Panel(
            "Reconciles",
            "Reconciles a second, by what they came to.",
            {"{{outcome}}": "sum by (outcome) (rate(edworkers_operator_reconciles_total[$__rate_interval]))"},
            unit="cps",
            alert="EdworkersOperatorReconcilesFail",
        ),
        Panel(
            "Reconciles, 95th percentile",
            "How long 19 of 20 reconciles take at most.",
            {"95 %": quantile(0.95, "edworkers_operator_reconcile_duration_seconds", "", "")},
            unit="s",
        ),
        Panel(
            "Pools that wait",
            "Pools that wait for a reconcile. It is above 0 for moments only.",
            {"": "max(edworkers_operator_work_queue_depth)"},
            width=4,
            alert="EdworkersOperatorNotReconciling",
        ),
        Panel(
            "Queues unread",
            "How often a second a queue couldn't be counted in Redis.",
            {"": "sum(rate(edworkers_operator_queues_unreadable_total[$__rate_interval]))"},
            unit="cps",
            width=4,
            alert="EdworkersOperatorCannotReadQueues",
        ),
    ),
)
