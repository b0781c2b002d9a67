"""Puts the CRD that this operator was built for into the cluster: what `helm upgrade` leaves undone."""

import asyncio

import structlog

from edworkers_operator.cluster import Cluster, Manifest, open_api
from edworkers_operator.crd import NAME, make_crd

log: structlog.stdlib.BoundLogger = structlog.get_logger("edworkers.operator")

_API_VERSION, _KIND = "apiextensions.k8s.io/v1", "CustomResourceDefinition"
_MANAGER = "helm"
"""Helm applies the CRD itself when it installs, and would fail over fields that another has."""

_LOOK_SECONDS = 0.5
_PATIENCE_SECONDS = 60.0


async def apply_crd() -> None:
    """Apply it and wait until the API server serves it.

    Raises ClusterError, and TimeoutError where that takes more than a minute.
    """
    async with open_api() as api:
        cluster = Cluster(api)
        await cluster.apply(make_crd(), manager=_MANAGER)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not _is_established(await cluster.get(_API_VERSION, _KIND, None, NAME)):  # noqa: ASYNC110 - polls
                await asyncio.sleep(_LOOK_SECONDS)
        log.info("crd.applied", crd=NAME)


def _is_established(crd: Manifest | None) -> bool:
    conditions = (crd or {}).get("status", {}).get("conditions", ())
    return any(known["type"] == "Established" and known["status"] == "True" for known in conditions)
