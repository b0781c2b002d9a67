"""Every object that a pool becomes."""

from collections.abc import Mapping
from typing import Any

from edworkers_operator.render.cron_job import cron_job
from edworkers_operator.render.deployment import deployment
from edworkers_operator.render.network_policy import network_policy
from edworkers_operator.render.pod_disruption_budget import pod_disruption_budget
from edworkers_operator.render.pod_monitor import pod_monitor
from edworkers_operator.render.scaled_object import scaled_object
from edworkers_operator.render.service_account import service_account
from edworkers_operator.render.trigger_authentication import trigger_authentication
from edworkers_operator.settings import Capabilities, RenderSettings
from edworkers_operator.workerpool import WorkerPool


def render(
    pool: WorkerPool, owner: Mapping[str, Any] | None, settings: RenderSettings, capabilities: Capabilities
) -> list[dict[str, Any]]:
    """Render a pool's objects in an order in which they can be applied one by one.

    `owner` has the pool's `uid`; None, for a pool that is in no cluster, leaves the objects without an owner.
    """
    objects = [service_account(pool, owner)]
    if settings.network_policy:
        objects.append(network_policy(pool, owner))
    objects.append(pod_disruption_budget(pool, owner))
    scaler = _scaler(pool, owner, settings, capabilities)
    # KEDA looks for the password and the Deployment as soon as it sees a ScaledObject.
    objects += scaler[:-1]
    objects.append(deployment(pool, owner, settings, capabilities))
    objects += scaler[-1:]
    objects += [cron_job(pool, owner, settings, schedule) for schedule in pool.spec.schedules]
    if capabilities.pod_monitor:
        objects.append(pod_monitor(pool, owner))
    return objects


def _scaler(
    pool: WorkerPool, owner: Mapping[str, Any] | None, settings: RenderSettings, capabilities: Capabilities
) -> list[dict[str, Any]]:
    scaling = pool.spec.scaling
    if scaling is None or not capabilities.keda:
        return []
    scaled = scaled_object(pool, owner, settings.redis, scaling)
    return [trigger_authentication(pool, owner, settings.redis), scaled] if settings.redis.secret else [scaled]
