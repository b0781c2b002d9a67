"""Where KEDA finds the password of Redis: in the same Secret as the runners."""

from collections.abc import Mapping
from typing import Any

from edworkers_operator.naming import TRIGGER_AUTHENTICATION
from edworkers_operator.render.metadata import head
from edworkers_operator.settings import RedisAddress
from edworkers_operator.workerpool import WorkerPool


def trigger_authentication(pool: WorkerPool, owner: Mapping[str, Any] | None, redis: RedisAddress) -> dict[str, Any]:
    """Render the TriggerAuthentication; only a Redis with a password needs one."""
    reference = {"parameter": "password", "name": redis.secret, "key": redis.password_key}
    return {**head(TRIGGER_AUTHENTICATION, pool, owner), "spec": {"secretTargetRef": [reference]}}
