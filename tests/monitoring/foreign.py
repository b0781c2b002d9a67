"""Metrics that our dashboards and alerts name and others tell: no test here can see them on a running system."""

from typing import NamedTuple


class Foreign(NamedTuple):
    """A metric of somebody else's."""

    labels: frozenset[str]
    source: str
    """Where it is said that there is such a metric, with these labels."""


KEDA = "github.com/kedacore/keda v2.21.0: pkg/metricscollector/prommetrics.go"
KUBE_HPA = "github.com/kubernetes/kube-state-metrics: docs/metrics/workload/horizontalpodautoscaler-metrics.md"
KUBE_DEPLOYMENT = "github.com/kubernetes/kube-state-metrics: docs/metrics/workload/deployment-metrics.md"
KUBE_POD = "github.com/kubernetes/kube-state-metrics: docs/metrics/workload/pod-metrics.md"
REDIS = "github.com/oliver006/redis_exporter: exporter/exporter.go, with its namespace `redis`"

_OF_A_SCALER = frozenset({"namespace", "metric", "scaledObject", "scaler", "triggerIndex", "type"})
_OF_A_SCALED_OBJECT = frozenset({"namespace", "scaledObject"})
_OF_AN_AUTOSCALER = frozenset({"namespace", "horizontalpodautoscaler"})
_OF_A_TARGET = _OF_AN_AUTOSCALER | {"metric_name", "metric_target_type"}
_OF_A_DEPLOYMENT = frozenset({"namespace", "deployment"})

FOREIGN = {
    "keda_scaler_metrics_value": Foreign(_OF_A_SCALER, KEDA),
    "keda_scaler_metrics_latency_seconds": Foreign(_OF_A_SCALER, KEDA),
    "keda_scaler_detail_errors_total": Foreign(_OF_A_SCALER, KEDA),
    "keda_scaled_object_errors_total": Foreign(_OF_A_SCALED_OBJECT, KEDA),
    "keda_scaled_object_paused": Foreign(_OF_A_SCALED_OBJECT, KEDA),
    "kube_horizontalpodautoscaler_spec_max_replicas": Foreign(_OF_AN_AUTOSCALER, KUBE_HPA),
    "kube_horizontalpodautoscaler_spec_target_metric": Foreign(_OF_A_TARGET, KUBE_HPA),
    "kube_horizontalpodautoscaler_status_target_metric": Foreign(_OF_A_TARGET, KUBE_HPA),
    "kube_horizontalpodautoscaler_status_desired_replicas": Foreign(_OF_AN_AUTOSCALER, KUBE_HPA),
    "kube_deployment_spec_replicas": Foreign(_OF_A_DEPLOYMENT, KUBE_DEPLOYMENT),
    "kube_deployment_status_replicas_ready": Foreign(_OF_A_DEPLOYMENT, KUBE_DEPLOYMENT),
    "kube_pod_container_status_restarts_total": Foreign(frozenset({"namespace", "pod", "container", "uid"}), KUBE_POD),
    "redis_up": Foreign(frozenset(), REDIS),
    "redis_memory_used_bytes": Foreign(frozenset(), REDIS),
    "redis_memory_max_bytes": Foreign(frozenset(), REDIS),
    "ALERTS": Foreign(frozenset({"alertname", "alertstate", "severity"}), "Prometheus itself"),
}
