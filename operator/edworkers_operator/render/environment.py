"""The environment of a pool's containers: the pool itself, where Redis is, and what the user adds.

The user's variables come after ours and may refer to them, as in `$(REDIS_HOST)`. They can't take the place of ours: a
runner on another Redis than the one that its scaler counts, or with another time to drain than its pod has, would lose
what the operator promises. Only the format of the log is theirs to change.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

from edworkers_operator.render.metadata import as_kept
from edworkers_operator.settings import RedisAddress
from edworkers_operator.workerpool import WorkerPool

HEALTH_PORT = 8080

RUN_FIELDS = frozenset(
    {"queue", "handlers", "concurrency", "max_inflight", "limits", "groups", "job", "retention", "lease_seconds"}
)
"""The fields of a pool on which its runners act; a change in any other restarts no pod."""

_THEIRS_TO_CHANGE = frozenset({"EDWORKERS_LOG_FORMAT"})


def runner_environment(pool: WorkerPool, redis: RedisAddress) -> list[dict[str, Any]]:
    """Give the variables of a runner."""
    ours = [
        *_common(pool, redis),
        _set("EDWORKERS_HEALTH_HOST", "0.0.0.0"),  # noqa: S104 - the pod's own address; a NetworkPolicy guards it
        _set("EDWORKERS_HEALTH_PORT", str(HEALTH_PORT)),
        _set("EDWORKERS_DRAIN_SECONDS", str(drain_seconds(pool))),
        _of_pod("EDWORKERS_RUNNER_NAME", "metadata.name"),
    ]
    return _merge(ours, pool.spec.env)


def scheduler_environment(pool: WorkerPool, redis: RedisAddress) -> list[dict[str, Any]]:
    """Give the variables of a pod that enqueues a job of a schedule; two of them name the job."""
    ours = [
        *_common(pool, redis),
        _of_pod("POD_NAMESPACE", "metadata.namespace"),
        _of_pod("JOB_NAME", "metadata.labels['batch.kubernetes.io/job-name']"),
    ]
    return _merge(ours, pool.spec.env)


def drain_seconds(pool: WorkerPool) -> int:
    """Say for how long a runner that is to stop may go on: no job of the pool takes longer."""
    return math.ceil(pool.spec.job.timeout_seconds)


def pool_document(pool: WorkerPool) -> str:
    """Write what runners are told of their pool, always in the same way.

    Defaults are left out: they are the runner's own, and a field that a later operator knows must restart no pod, nor
    reach an older runner that would refuse it.
    """
    fields = pool.spec.model_dump(mode="json", by_alias=True, include=set(RUN_FIELDS), exclude_defaults=True)
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


def _common(pool: WorkerPool, redis: RedisAddress) -> list[dict[str, Any]]:
    return [
        _set("EDWORKERS_POOL", pool_document(pool)),
        _set("EDWORKERS_LOG_FORMAT", "json"),
        *_redis(redis),
    ]


def _redis(redis: RedisAddress) -> list[dict[str, Any]]:
    # An empty REDIS_URL keeps one of `envFrom` from sending runners elsewhere. The API server drops an empty value.
    found: list[dict[str, Any]] = [{"name": "REDIS_URL"}, *_address(redis)]
    if redis.database:
        found.append(_set("REDIS_DATABASE", str(redis.database)))
    if redis.tls:
        found.append(_set("REDIS_TLS", "true"))
    if redis.username:
        found.append(_set("REDIS_USERNAME", redis.username))
    if redis.secret:
        reference = {"name": redis.secret, "key": redis.password_key}
        found.append({"name": "REDIS_PASSWORD", "valueFrom": {"secretKeyRef": reference}})
    return found


def _address(redis: RedisAddress) -> list[dict[str, Any]]:
    if redis.mode == "sentinel":
        return [_set("REDIS_SENTINELS", ",".join(redis.addresses)), _set("REDIS_MASTER", redis.master)]
    if redis.mode == "cluster":
        return [_set("REDIS_NODES", ",".join(redis.addresses))]
    host, _, port = redis.addresses[0].rpartition(":")
    return [_set("REDIS_HOST", host.strip("[]")), _set("REDIS_PORT", port)]


def _set(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "value": value}


def _of_pod(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _merge(ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the user's variables after ours, each name once: the API server refuses a name that is given twice."""
    kept = {variable["name"] for variable in ours} - _THEIRS_TO_CHANGE
    added = {variable["name"]: variable for variable in theirs if variable["name"] not in kept}
    return [*(variable for variable in ours if variable["name"] not in added), *as_kept(list(added.values()))]
