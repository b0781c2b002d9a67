"""The identity of a pool's pods, to which a cloud may tie rights of its own. It has none in Kubernetes."""

from collections.abc import Mapping
from typing import Any

from edworkers_operator.naming import SERVICE_ACCOUNT
from edworkers_operator.render.metadata import head
from edworkers_operator.workerpool import WorkerPool


def service_account(pool: WorkerPool, owner: Mapping[str, Any] | None) -> dict[str, Any]:
    """Render the ServiceAccount."""
    return {**head(SERVICE_ACCOUNT, pool, owner), "automountServiceAccountToken": False}
