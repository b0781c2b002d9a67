"""What reaches a pool's pods from the network: nothing but a look at their health and metrics.

What they reach is left open: handlers call services and receivers on the web that nobody can list beforehand. Who can,
adds a policy of their own; policies add up.
"""

from collections.abc import Mapping
from typing import Any

from edworkers_operator.naming import NETWORK_POLICY, POOL_LABEL
from edworkers_operator.render.environment import HEALTH_PORT
from edworkers_operator.render.metadata import head
from edworkers_operator.workerpool import WorkerPool


def network_policy(pool: WorkerPool, owner: Mapping[str, Any] | None) -> dict[str, Any]:
    """Render the NetworkPolicy, of runners and of the CronJobs' pods."""
    return {
        **head(NETWORK_POLICY, pool, owner),
        "spec": {
            "podSelector": {"matchLabels": {POOL_LABEL: pool.metadata.name}},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": HEALTH_PORT, "protocol": "TCP"}]}],
        },
    }
