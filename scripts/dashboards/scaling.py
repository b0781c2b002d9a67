"""How KEDA scales the pools: what it counts, what it wants, and what there is."""

from scripts.dashboards.board import NAMESPACE, QUEUE, Board, Variable
from scripts.dashboards.panels import RED, Panel, Row, on_or_off
from scripts.dashboards.queries import HERE, jobs, per_queue

_SCALER = Variable(
    "scaler",
    "Pool's objects",
    "label_values(kube_horizontalpodautoscaler_spec_max_replicas"
    '{namespace=~"$namespace", horizontalpodautoscaler=~"edworkers-.+"}, horizontalpodautoscaler)',
    whatever="edworkers-.+",
)
_HPA = f'{HERE}, horizontalpodautoscaler=~"$scaler"'
_DEPLOYMENT = f'{HERE}, deployment=~"$scaler"'
# Its `namespace` is renamed where Prometheus doesn't honour it, so that it isn't asked for.
_KEDA = 'scaledObject=~"$scaler"'


def _of_autoscaler(name: str) -> str:
    return f"max by (horizontalpodautoscaler) ({name}{{{_HPA}}})"


def _of_keda(name: str) -> str:
    return f"max by (scaledObject, metric) ({name}{{{_KEDA}}})"


_DEMAND = Row(
    "Jobs and pods",
    (
        Panel(
            "Jobs that call for pods",
            "Jobs that wait and run, by queue: KEDA counts both. Those of a closed queue count only while they run.",
            {"{{queue}}": f"{jobs('pending')} + {jobs('inflight')}"},
            width=12,
            alert="EdworkersQueueStuck",
        ),
        Panel(
            "Pods",
            "Pods that are ready, those that the autoscaler wants, and the most that it may have.",
            {
                "{{deployment}} ready": f"max by (deployment) (kube_deployment_status_replicas_ready{{{_DEPLOYMENT}}})",
                "{{horizontalpodautoscaler}} wanted": _of_autoscaler(
                    "kube_horizontalpodautoscaler_status_desired_replicas"
                ),
                "{{horizontalpodautoscaler}} at most": _of_autoscaler("kube_horizontalpodautoscaler_spec_max_replicas"),
            },
            width=12,
            alert="EdworkersAutoscalerAtMaximum",
        ),
        Panel(
            "Wanted and not ready",
            "Pods that the autoscaler wants and that aren't ready: they start, have no room, or fail.",
            {
                "{{deployment}}": (
                    f"max by (deployment) (kube_deployment_spec_replicas{{{_DEPLOYMENT}}}) "
                    f"- max by (deployment) (kube_deployment_status_replicas_ready{{{_DEPLOYMENT}}})"
                )
            },
            alert="EdworkersPoolNotReady",
        ),
        Panel(
            "Runners",
            "Runners that gave a sign of life: fewer than ready pods means that some don't reach Redis.",
            {"{{queue}}": per_queue("edworkers_queue_runners")},
        ),
        Panel(
            "Share of the maximum",
            "At 100 % the autoscaler can do no more, and a queue that still grows needs a larger `maxReplicas`.",
            {
                "{{horizontalpodautoscaler}}": (
                    f"{_of_autoscaler('kube_horizontalpodautoscaler_status_desired_replicas')} "
                    f"/ {_of_autoscaler('kube_horizontalpodautoscaler_spec_max_replicas')}"
                )
            },
            unit="percentunit",
            alarms_at=1,
            most=1,
            alert="EdworkersAutoscalerAtMaximum",
        ),
    ),
)
_SCALING = Row(
    "KEDA",
    (
        Panel(
            "What KEDA counts",
            "The value of each trigger as KEDA last read it in Redis: pending, inflight, paused, throttled.",
            {"{{scaledObject}} {{metric}}": _of_keda("keda_scaler_metrics_value")},
            width=12,
        ),
        Panel(
            "What the autoscaler aims at",
            "How many jobs there should be for each pod, and how many there are.",
            {
                "{{horizontalpodautoscaler}} target": _of_autoscaler("kube_horizontalpodautoscaler_spec_target_metric"),
                "{{horizontalpodautoscaler}} now": _of_autoscaler("kube_horizontalpodautoscaler_status_target_metric"),
            },
            width=12,
        ),
        Panel(
            "Errors",
            "Errors a second of KEDA with these pools. While it has them, there stay as many pods as there are.",
            {
                "{{scaledObject}}": (
                    f"sum by (scaledObject) (rate(keda_scaled_object_errors_total{{{_KEDA}}}[$__rate_interval]))"
                ),
                "{{scaledObject}} {{scaler}}": (
                    "sum by (scaledObject, scaler) "
                    f"(rate(keda_scaler_detail_errors_total{{{_KEDA}}}[$__rate_interval]))"
                ),
            },
            unit="cps",
            alert="EdworkersScalerErrors",
        ),
        Panel(
            "How long KEDA takes to count",
            "How long it took KEDA to read a queue in Redis.",
            {"{{scaledObject}}": f"max by (scaledObject) (keda_scaler_metrics_latency_seconds{{{_KEDA}}})"},
            unit="s",
        ),
        Panel(
            "Paused in KEDA",
            "Pools whose scaling somebody paused by an annotation, or that are suspended.",
            {"{{scaledObject}}": f"max by (scaledObject) (keda_scaled_object_paused{{{_KEDA}}})"},
            kind="state-timeline",
            more=on_or_off("paused", RED),
        ),
    ),
)

SCALING = Board(
    "scaling",
    "edworkers: scaling by KEDA",
    "Jobs beside pods, and what KEDA makes of them. Needs kube-state-metrics and KEDA's own metrics.",
    (_DEMAND, _SCALING),
    (NAMESPACE, QUEUE, _SCALER),
)
