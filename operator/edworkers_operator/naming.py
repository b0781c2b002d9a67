"""What a pool's objects are called, and the labels by which they are found again."""

from typing import NamedTuple

from edworkers_operator.settings import Capabilities
from edworkers_operator.workerpool import Schedule, WorkerPool

FIELD_MANAGER = "edworkers-operator"
POOL_LABEL = "edworkers.dev/pool"


class Kind(NamedTuple):
    """A kind of object, as the API names it."""

    api_version: str
    kind: str
    plural: str


SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
POD_DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
CRON_JOB = Kind("batch/v1", "CronJob", "cronjobs")
TRIGGER_AUTHENTICATION = Kind("keda.sh/v1alpha1", "TriggerAuthentication", "triggerauthentications")
SCALED_OBJECT = Kind("keda.sh/v1alpha1", "ScaledObject", "scaledobjects")
POD_MONITOR = Kind("monitoring.coreos.com/v1", "PodMonitor", "podmonitors")

CHILD_KINDS = (
    SERVICE_ACCOUNT,
    NETWORK_POLICY,
    POD_DISRUPTION_BUDGET,
    TRIGGER_AUTHENTICATION,
    DEPLOYMENT,
    SCALED_OBJECT,
    CRON_JOB,
    POD_MONITOR,
)
"""Every kind that a pool may become, in the order in which they are applied."""


def known_kinds(capabilities: Capabilities) -> list[Kind]:
    """Give those of the kinds that this cluster knows."""
    known = {SCALED_OBJECT: capabilities.keda, TRIGGER_AUTHENTICATION: capabilities.keda}
    known[POD_MONITOR] = capabilities.pod_monitor
    return [kind for kind in CHILD_KINDS if known.get(kind, True)]


def child_name(pool: WorkerPool) -> str:
    """Name a pool's objects: all but the CronJobs share one name, of at most 63 characters."""
    return f"edworkers-{pool.metadata.name}"


def deployment_name(pool: WorkerPool) -> str:
    """Name the Deployment of a pool's runners."""
    return child_name(pool)


def cron_job_name(pool: WorkerPool, schedule: Schedule) -> str:
    """Name the CronJob of one of a pool's schedules; at most 52 characters, as the pool has been checked for."""
    return f"{pool.metadata.name}-{schedule.name}"


def labels(pool: WorkerPool, component: str = "runner") -> dict[str, str]:
    """Give the labels of a pool's objects and pods; the component `scheduler` is that of its CronJobs."""
    return {
        "app.kubernetes.io/name": "edworkers",
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/instance": pool.metadata.name,
        "app.kubernetes.io/managed-by": FIELD_MANAGER,
        POOL_LABEL: pool.metadata.name,
    }


def selector(pool: WorkerPool) -> dict[str, str]:
    """Give the labels that only the pool's runners have: its CronJobs' pods are of another component.

    A Deployment's selector can never be changed, so it is made of as few as can be.
    """
    return {"app.kubernetes.io/component": "runner", POOL_LABEL: pool.metadata.name}
