"""How many runners may be evicted at once when nodes are emptied.

An eviction is harmless: a runner finishes what it has, or gives it back. So the budget is never there to stop one, only
to keep most of a pool's capacity meanwhile. A quarter, rounded up, is at least one: a pool of a single runner blocks
nobody. A runner that isn't ready, as all of them aren't while Redis is away, may always go.
"""

from collections.abc import Mapping
from typing import Any

from edworkers_operator.naming import POD_DISRUPTION_BUDGET, selector
from edworkers_operator.render.metadata import head
from edworkers_operator.workerpool import WorkerPool


def pod_disruption_budget(pool: WorkerPool, owner: Mapping[str, Any] | None) -> dict[str, Any]:
    """Render the PodDisruptionBudget."""
    return {
        **head(POD_DISRUPTION_BUDGET, pool, owner),
        "spec": {
            "maxUnavailable": "25%",
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": selector(pool)},
        },
    }
