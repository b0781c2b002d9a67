"""Pools to render: the shipped examples, and one for each thing that makes a difference."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from edworkers_operator.render.pool import render
from edworkers_operator.settings import Capabilities, RedisAddress, RenderSettings
from edworkers_operator.workerpool import WorkerPool, read_worker_pool

EXAMPLES = sorted((Path(__file__).parents[2] / "manifests" / "examples").glob("*.yaml"))
UID = "6b9c2f0e-5f0a-4c55-9d7e-0c6a3f1b2d11"
REDIS = RedisAddress(addresses=("redis.edworkers.svc:6379",), secret="edworkers-redis")
SETTINGS = RenderSettings(image="edworkers-runner:1.0.0", redis=REDIS)
KEDA = Capabilities(keda=True)


def pool(name: str = "night", **spec: Any) -> WorkerPool:
    return read_worker_pool(
        {
            "apiVersion": "edworkers.dev/v1alpha1",
            "kind": "WorkerPool",
            "metadata": {"name": name, "namespace": "school", "uid": UID},
            "spec": {"queue": "night", "handlers": "school.night", **spec},
        }
    )


def settings(**redis: Any) -> RenderSettings:
    return SETTINGS.model_copy(update={"redis": RedisAddress(**redis)})


@dataclass(frozen=True)
class Case:
    """One pool, and the cluster that it is rendered for."""

    pool: WorkerPool
    settings: RenderSettings = field(default=SETTINGS)
    capabilities: Capabilities = field(default=KEDA)

    def objects(self) -> list[dict[str, Any]]:
        return render(self.pool, {"uid": UID}, self.settings, self.capabilities)


THREE = ("redis-0.edworkers.svc:26379", "redis-1.edworkers.svc:26379", "[fd00::7]:26379")

EVERYTHING: dict[str, Any] = {
    "image": "school/night:2.1",
    "concurrency": 4,
    "autoscaling": {
        "minReplicas": 1,
        "maxReplicas": 30,
        "targetPerReplica": 8,
        "pollingIntervalSeconds": 2,
        "cooldownSeconds": 300,
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60, "policies": []}},
    },
    "limits": [
        {"name": "minute", "limit": 60, "window": "minute"},
        {"name": "day", "limit": 1000, "window": "day", "timeZone": "America/Los_Angeles"},
    ],
    "job": {
        "timeoutSeconds": 90.5,
        "maxAttempts": 5,
        "maxDeliveries": 2,
        "backoff": {"initialSeconds": 1, "factor": 3, "maxSeconds": 60, "jitter": 0},
    },
    "retention": {"resultSeconds": 3600, "deadSeconds": 86400, "maxBytes": "1Gi"},
    "leaseSeconds": 20,
    "schedules": [
        {
            "name": "cleanup",
            "schedule": "0 3 * * mon-fri",
            "timeZone": "Europe/Berlin",
            "job": {"type": "token-cleanup", "data": {"data": {"price": "$(5)"}, "older": "30 d", "ü": [1, None]}},
        },
        {"name": "report", "schedule": "*/5 * * * *"},
    ],
    "env": [
        {"name": "SCHOOL", "value": "north"},
        {"name": "EMPTY", "value": ""},
        {"name": "EDWORKERS_LOG_FORMAT", "value": "text"},
        {"name": "REDIS_HOST", "value": "elsewhere"},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "night", "key": "key", "optional": False}}},
    ],
    "envFrom": [{"configMapRef": {"name": "night"}}, {"secretRef": {"name": "night"}, "prefix": "NIGHT_"}],
    "resources": {"requests": {"cpu": "0.25", "memory": "1024Mi"}, "limits": {"cpu": 2, "memory": "1.5Gi"}},
    "nodeSelector": {"kubernetes.io/arch": "arm64", "spare": ""},
    "tolerations": [{"key": "night", "operator": "Equal", "value": "", "effect": "NoSchedule"}],
    "affinity": {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 1,
                    "preference": {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]},
                }
            ]
        }
    },
    "topologySpreadConstraints": [
        {
            "maxSkew": 2,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"edworkers.dev/pool": "night"}},
        }
    ],
    "podLabels": {"team": "night"},
    "podAnnotations": {"sidecar.istio.io/inject": "false"},
    "priorityClassName": "school-high",
    "deletionPolicy": "Drain",
}

CASES: dict[str, Case] = {
    **{f"example-{path.stem}": Case(read_worker_pool(yaml.safe_load(path.read_text()))) for path in EXAMPLES},
    "least": Case(pool()),
    "fixed-replicas": Case(pool(replicas=3)),
    "suspended": Case(pool(suspend=True, schedules=[{"name": "daily", "schedule": "0 3 * * *"}])),
    "suspended-fixed-replicas": Case(pool(replicas=3, suspend=True)),
    "fair-and-bounded": Case(pool(groups={"maxInflight": 2}, maxInflight=50)),
    "without-keda": Case(pool(autoscaling={"minReplicas": 2}), capabilities=Capabilities()),
    "without-password": Case(pool(), settings(addresses=("redis.edworkers.svc:6379",))),
    "redis-with-user-and-tls": Case(
        pool(),
        settings(
            addresses=("[fd00::7]:6380",),
            database=3,
            username="night",
            secret="redis-users",
            password_key="night",
            tls=True,
        ),
    ),
    "redis-sentinel": Case(pool(), settings(mode="sentinel", addresses=THREE, master="jobs", secret="edworkers-redis")),
    "redis-cluster": Case(pool(), settings(mode="cluster", addresses=THREE, secret="edworkers-redis")),
    "everything": Case(
        pool(**EVERYTHING),
        SETTINGS.model_copy(update={"image_pull_policy": "Always", "image_pull_secrets": ("registry",)}),
        Capabilities(keda=True, pod_monitor=True),
    ),
    "without-network-policy": Case(pool(), SETTINGS.model_copy(update={"network_policy": False})),
}
