"""Where Prometheus finds the metrics of a pool's runners, in a cluster that has its operator."""

from collections.abc import Mapping
from typing import Any

from edworkers_operator.naming import POD_MONITOR, selector
from edworkers_operator.render.metadata import head
from edworkers_operator.workerpool import WorkerPool


def pod_monitor(pool: WorkerPool, owner: Mapping[str, Any] | None) -> dict[str, Any]:
    """Render the PodMonitor."""
    return {
        **head(POD_MONITOR, pool, owner),
        "spec": {
            "selector": {"matchLabels": selector(pool)},
            "podMetricsEndpoints": [{"port": "metrics", "path": "/metrics"}],
        },
    }
