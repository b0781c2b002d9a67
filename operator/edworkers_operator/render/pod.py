"""What a pool's pods have in common, whether they run jobs or enqueue them: strict security, and where they may run."""

from collections.abc import Sequence
from typing import Any

from edworkers_operator.naming import child_name, labels
from edworkers_operator.render.metadata import as_kept, without_empty
from edworkers_operator.settings import RenderSettings
from edworkers_operator.workerpool import WorkerPool

CONTAINER = "runner"
USER = 65532

DEFAULT_RESOURCES: dict[str, Any] = {
    # An idle runner takes some 55 MiB. Its limit is there so that a leak ends one runner, whose jobs are run again, not
    # its node. CPU has none: a runner that is throttled renews its leases too late.
    "requests": {"cpu": "50m", "memory": "96Mi"},
    "limits": {"memory": "512Mi"},
}


def container(
    pool: WorkerPool,
    settings: RenderSettings,
    *,
    args: Sequence[str],
    env: Sequence[dict[str, Any]],
    resources: dict[str, Any],
) -> dict[str, Any]:
    """Give the one container of a pod. Its image knows what to start, and is only told what to do."""
    return without_empty(
        {
            "name": CONTAINER,
            "image": pool.spec.image or settings.image,
            "imagePullPolicy": settings.image_pull_policy,
            "args": list(args),
            "env": list(env),
            "envFrom": as_kept(pool.spec.env_from),
            "resources": resources,
            # The reason why a runner could not start is then told by its pod's status.
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - a volume of the pod's own
        }
    )


def pod_spec(pool: WorkerPool, settings: RenderSettings, only: dict[str, Any]) -> dict[str, Any]:
    """Give the spec of a pod with this container."""
    return without_empty(
        {
            "serviceAccountName": child_name(pool),
            "automountServiceAccountToken": False,
            # Beside a Service called redis, Kubernetes would set a REDIS_PORT of its own.
            "enableServiceLinks": False,
            "imagePullSecrets": [{"name": name} for name in settings.image_pull_secrets],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "priorityClassName": pool.spec.priority_class_name,
            "nodeSelector": pool.spec.node_selector,
            "tolerations": as_kept(pool.spec.tolerations),
            "affinity": as_kept(pool.spec.affinity),
            "containers": [only],
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}],
        }
    )


def pod_metadata(pool: WorkerPool, component: str) -> dict[str, Any]:
    """Give a pod's labels and annotations. The user's labels come beside ours, by which pods are found."""
    return without_empty(
        {
            "labels": {**pool.spec.pod_labels, **labels(pool, component)},
            "annotations": pool.spec.pod_annotations,
        }
    )
