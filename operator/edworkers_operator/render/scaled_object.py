"""How KEDA scales a pool: by the jobs that wait and those that run, and not at all for a queue that is closed.

KEDA looks at a few keys and joins them by a formula. Both of its decisions follow the formula's value alone: it leaves
zero, or goes back to it, by whether the value is above 0, and in between the number of pods is the value divided by
`target`. So

- jobs in flight keep their pods: going to zero is one step for KEDA, whatever runs;
- a queue that is paused, or throttled by a used-up limit, counts only what still runs, and stays at zero though jobs
  wait; when the key that says so expires, the pool comes up by itself;
- delayed jobs count once the keeper has moved them to the list;
- where only so many jobs may run at once, more of them ask for no more pods.

There is no fallback: where Redis can't be read, KEDA and the HorizontalPodAutoscaler leave as many pods as there are.
"""

from collections.abc import Mapping
from typing import Any

from edworkers.core.keys import QueueKeys
from edworkers.core.settings import Autoscaling
from edworkers_operator.naming import SCALED_OBJECT, child_name, deployment_name
from edworkers_operator.render.metadata import as_kept, head, without_empty
from edworkers_operator.settings import RedisAddress
from edworkers_operator.workerpool import WorkerPool

_TYPES = {"standalone": "redis", "sentinel": "redis-sentinel", "cluster": "redis-cluster"}
_PAUSED_AT = "autoscaling.keda.sh/paused-replicas"


def scaled_object(
    pool: WorkerPool, owner: Mapping[str, Any] | None, redis: RedisAddress, scaling: Autoscaling
) -> dict[str, Any]:
    """Render the ScaledObject; that of a suspended pool holds it at zero."""
    rendered = head(SCALED_OBJECT, pool, owner)
    if pool.spec.suspend:
        rendered["metadata"]["annotations"] = {_PAUSED_AT: "0"}
    rendered["spec"] = {
        "scaleTargetRef": {"name": deployment_name(pool)},
        "minReplicaCount": scaling.min_replicas,
        "maxReplicaCount": scaling.max_replicas,
        "pollingInterval": scaling.polling_interval_seconds,
        "cooldownPeriod": scaling.cooldown_seconds,
        "advanced": {
            "horizontalPodAutoscalerConfig": without_empty(
                {"name": child_name(pool), "behavior": as_kept(scaling.behavior)}
            ),
            "scalingModifiers": {
                "formula": _formula(pool),
                "target": str(scaling.target_per_replica or pool.spec.concurrency),
                "metricType": "AverageValue",
            },
        },
        "triggers": _triggers(pool, redis),
    }
    return rendered


def _formula(pool: WorkerPool) -> str:
    work = "pending + fair + inflight" if pool.spec.groups is not None else "pending + inflight"
    if pool.spec.max_inflight is not None:
        work = f"min({work}, {pool.spec.max_inflight})"
    return f"paused + throttled > 0 ? inflight : {work}"


def _triggers(pool: WorkerPool, redis: RedisAddress) -> list[dict[str, Any]]:
    keys = QueueKeys(pool.spec.queue)
    counted = {
        "pending": keys.pending,
        "inflight": keys.inflight,
        "paused": keys.paused,
        "throttled": keys.throttled,
    }
    if pool.spec.groups is not None:
        counted["fair"] = keys.fair
    # The names are those of the formula. Lists, sets and hashes are all counted by the same scaler.
    shared = _connection(redis)
    reference = {"name": child_name(pool)} if redis.secret else None
    return [
        without_empty(
            {
                "type": _TYPES[redis.mode],
                "name": name,
                "metadata": {**shared, "listName": key},
                "authenticationRef": reference,
            }
        )
        for name, key in counted.items()
    ]


def _connection(redis: RedisAddress) -> dict[str, str]:
    """Say where Redis is, as KEDA's scaler wants it: every value is a string."""
    place = "address" if redis.mode == "standalone" else "addresses"
    return without_empty(
        {
            place: ",".join(redis.addresses),
            "sentinelMaster": redis.master if redis.mode == "sentinel" else "",
            "databaseIndex": str(redis.database) if redis.database else "",
            "username": redis.username,
            "enableTLS": "true" if redis.tls else "",
        }
    )
