"""What the cluster's operator says of WorkerPools, read from the Kubernetes API by the pod's own account."""

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import httpx2
from pydantic_core import from_json

from edworkers.ports.cluster import PoolView
from edworkers.telemetry import log

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its token and the API server's authority."""

_RESOURCE = "apis/edworkers.dev/v1alpha1"
_TIMEOUT_SECONDS = 5.0
_KEPT_SECONDS = 2.0
"""Within these one answer does for all who ask."""
_GOOD = {"Ready": "True", "ScalerReady": "True", "SchedulesReady": "True"}
_BAD = {"Throttled": "False", "Degraded": "False", "Stalled": "False"}
_EXPECTED = {**_GOOD, **_BAD}


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Where the Kubernetes API is, and with which account it is asked."""

    url: str
    account: Path = ACCOUNT
    namespaces: tuple[str, ...] = ()
    """Whose pools are asked for; none are all namespaces."""

    @classmethod
    def found(cls, env: Mapping[str, str], account: Path = ACCOUNT) -> "ApiServer | None":
        """Find it as every pod does; None outside of a cluster, or where the pod has no account."""
        host, port = env.get("KUBERNETES_SERVICE_HOST"), env.get("KUBERNETES_SERVICE_PORT", "443")
        if not host or not (account / "token").is_file():
            return None
        names = tuple(name for name in env.get("EDWORKERS_NAMESPACES", "").replace(",", " ").split() if name)
        return cls(f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}", account, names)


class WorkerPools:
    """The `ClusterView` port on the Kubernetes API."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._client: httpx2.AsyncClient | None = None
        self._lock = asyncio.Lock()
        self._known: tuple[float, Sequence[PoolView]] | None = None
        self._fault = ""

    async def pools(self) -> Sequence[PoolView]:
        """Tell of every pool; empty where the cluster doesn't answer, which is told in the log once."""
        async with self._lock:
            if self._known is None or time.monotonic() - self._known[0] > _KEPT_SECONDS:
                self._known = (time.monotonic(), await self._asked())
            return self._known[1]

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.aclose()

    async def _asked(self) -> Sequence[PoolView]:
        try:
            found = [view for path in self._paths() for view in await self._ask(path)]
        except (httpx2.HTTPError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            if reason != self._fault:
                log.warning("cluster.unread", reason=reason, then="pods are not shown until it answers")
            self._fault = reason
            return ()
        self._fault = ""
        return sorted(found, key=lambda view: view.name)

    def _paths(self) -> list[str]:
        if not self._server.namespaces:
            return [f"{_RESOURCE}/workerpools"]
        return [f"{_RESOURCE}/namespaces/{name}/workerpools" for name in self._server.namespaces]

    async def _ask(self, path: str) -> list[PoolView]:
        if self._client is None:
            context = ssl.create_default_context(cafile=self._server.account / "ca.crt")
            self._client = httpx2.AsyncClient(verify=context, timeout=_TIMEOUT_SECONDS, trust_env=False)
        # The token is renewed in its file, so it is read each time.
        token = (self._server.account / "token").read_text(encoding="ascii").strip()
        answer = await self._client.get(f"{self._server.url}/{path}", headers={"Authorization": f"Bearer {token}"})
        if answer.status_code != 200:
            raise ValueError(f"the API server answered {answer.status_code} to /{path}")
        return [pool_view(item) for item in from_json(answer.content)["items"]]


def pool_view(item: Mapping[str, Any]) -> PoolView:
    """Read a WorkerPool as the API gives it.

    Raises KeyError, TypeError, ValueError or AttributeError for anything else.
    """
    spec: dict[str, Any] = item["spec"]
    status: dict[str, Any] = item.get("status") or {}
    scaling: dict[str, Any] = spec.get("autoscaling") or {}
    queue: dict[str, Any] = status.get("queue") or {}
    fixed = spec.get("replicas")
    counts = [queue.get("pending"), queue.get("inflight")]
    return PoolView(
        name=item["metadata"]["name"],
        queue=spec["queue"],
        ready=int(status.get("readyReplicas") or 0),
        wanted=int(status.get("replicas") or 0),
        least=int(fixed if fixed is not None else scaling.get("minReplicas", 0)),
        most=int(fixed if fixed is not None else scaling.get("maxReplicas", 10)),
        target=None if fixed is not None else float(scaling.get("targetPerReplica") or spec.get("concurrency", 1)),
        queue_length=None if None in counts else sum(cast("list[int]", counts)),
        conditions=_unexpected(status.get("conditions") or ()),
        fired=_fired(status.get("schedules") or ()),
    )


def _fired(schedules: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    times = {told["name"]: told.get("lastScheduleTime") for told in schedules}
    return {name: round(datetime.fromisoformat(at).timestamp() * 1000) for name, at in times.items() if at}


def _unexpected(conditions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {
        told["type"]: str(told.get("message", ""))
        for told in conditions
        if told.get("status") != _EXPECTED.get(told["type"], told.get("status"))
    }
