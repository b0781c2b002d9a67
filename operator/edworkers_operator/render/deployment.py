"""A pool's runners."""

from collections.abc import Mapping
from typing import Any

from edworkers_operator.naming import DEPLOYMENT, selector
from edworkers_operator.render.environment import HEALTH_PORT, drain_seconds, runner_environment
from edworkers_operator.render.metadata import as_kept, head
from edworkers_operator.render.pod import DEFAULT_RESOURCES, container, pod_metadata, pod_spec
from edworkers_operator.render.quantities import canonical_resources
from edworkers_operator.settings import Capabilities, RenderSettings
from edworkers_operator.workerpool import WorkerPool

_MARGIN_SECONDS = 15
"""Beyond the time to drain: for a handler that doesn't stop when it is told to, and for the last words to Redis."""


def replicas(pool: WorkerPool, capabilities: Capabilities) -> int | None:
    """Say how many runners there are to be; None where KEDA decides, whose number must be left alone."""
    if pool.spec.suspend:
        return 0
    scaling = pool.spec.scaling
    if scaling is None:
        return pool.spec.replicas
    if capabilities.keda:
        return None
    # Nobody would start the first one.
    return max(scaling.min_replicas, 1)


def deployment(
    pool: WorkerPool, owner: Mapping[str, Any] | None, settings: RenderSettings, capabilities: Capabilities
) -> dict[str, Any]:
    """Render the Deployment. Its pods are made of the pool's spec and the image, and of nothing else."""
    spec: dict[str, Any] = {
        "selector": {"matchLabels": selector(pool)},
        "revisionHistoryLimit": 2,
        "progressDeadlineSeconds": 600,
        # New runners come first, so a pool never has fewer that claim jobs than it had. Those that are to go drain by
        # themselves and all at once; nobody waits for them, however long their jobs are.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
        "template": {"metadata": pod_metadata(pool, "runner"), "spec": _runner(pool, settings)},
    }
    count = replicas(pool, capabilities)
    if count is not None:
        spec["replicas"] = count
    return {**head(DEPLOYMENT, pool, owner), "spec": spec}


def _runner(pool: WorkerPool, settings: RenderSettings) -> dict[str, Any]:
    only = container(
        pool,
        settings,
        args=["run", pool.spec.queue],
        env=runner_environment(pool, settings.redis),
        resources=canonical_resources(pool.spec.resources or DEFAULT_RESOURCES),
    )
    only["ports"] = [{"name": "metrics", "containerPort": HEALTH_PORT, "protocol": "TCP"}]
    # A runner that is busy is slow to answer, and ending it costs all that it runs: it has a minute.
    only["livenessProbe"] = _probe("/livez", period=10, timeout=5, failures=6)
    only["readinessProbe"] = _probe("/readyz", period=5, timeout=3, failures=3)
    return {
        **pod_spec(pool, settings, only),
        "terminationGracePeriodSeconds": drain_seconds(pool) + _MARGIN_SECONDS,
        "topologySpreadConstraints": as_kept(pool.spec.topology_spread_constraints) or [_spread(pool)],
    }


def _probe(path: str, *, period: int, timeout: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "metrics"},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    }


def _spread(pool: WorkerPool) -> dict[str, Any]:
    """Spread runners over nodes where there is room, so that the loss of one costs as few jobs as can be."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(pool)},
    }
