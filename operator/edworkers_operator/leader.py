"""One operator is active at a time: the one that holds the Lease.

No clock is compared with another machine's: a Lease has run out when it has not been seen to change for as long as it
lasts. Its holder stops working well before that, should it be unable to renew it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from edworkers_operator.cluster import Cluster, ClusterError, Manifest

log: structlog.stdlib.BoundLogger = structlog.get_logger("edworkers.operator")

LEASE_SECONDS = 15
RENEW_SECONDS = 10
"""For how long the holder tries to renew before it gives up, in the time that is left of the Lease."""
RETRY_SECONDS = 2
END_SECONDS = 5
"""How long the work may take to end."""
_API_VERSION, _KIND = "coordination.k8s.io/v1", "Lease"


class LeaseLostError(Exception):
    """Another operator may be active: this one must end."""


class Lease:
    """One Lease, as one of those sees it that would like to hold it."""

    def __init__(
        self, cluster: Cluster, name: str, namespace: str, identity: str, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._namespace = namespace
        self._identity = identity
        self._steady = steady
        self._seen: tuple[str, float] = ("", 0.0)
        self._renewed = 0.0

    async def take(self) -> bool:
        """Take the Lease if it is free, or renew it if it is ours; says whether it is ours now."""
        began = self._steady()
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                is_ours = await self._take()
        except (ClusterError, TimeoutError) as error:
            # A conflict says that somebody else was faster.
            if not isinstance(error, ClusterError) or error.status != 409:
                log.warning("lease.unreachable", lease=self._name, reason=str(error) or type(error).__name__)
            return False
        if is_ours:
            # Not when the answer came: others may have seen the Lease change since then.
            self._renewed = began
        return is_ours

    async def _take(self) -> bool:
        found = await self._cluster.get(_API_VERSION, _KIND, self._namespace, self._name)
        if found is None:
            await self._cluster.create(self._held({}, {}))
            return True
        spec = found.get("spec", {})
        holder = spec.get("holderIdentity")
        if holder and holder != self._identity and not self._has_run_out(found, spec):
            return False
        await self._cluster.replace(self._held(found["metadata"], spec))
        return True

    def _has_run_out(self, found: Manifest, spec: Manifest) -> bool:
        version, now = found["metadata"]["resourceVersion"], self._steady()
        if version != self._seen[0]:
            self._seen = (version, now)
        return bool(now - self._seen[1] > spec.get("leaseDurationSeconds", LEASE_SECONDS))

    def _held(self, metadata: Manifest, spec: Manifest) -> Manifest:
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ours = spec.get("holderIdentity") == self._identity
        held: dict[str, Any] = {
            **spec,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": moment,
            "acquireTime": spec["acquireTime"] if ours else moment,
            "leaseTransitions": spec.get("leaseTransitions", 0) + (not ours),
        }
        named = {"name": self._name, "namespace": self._namespace}
        return {"apiVersion": _API_VERSION, "kind": _KIND, "metadata": {**metadata, **named}, "spec": held}

    async def wait(self) -> None:
        """Wait until it is ours."""
        while not await self.take():  # noqa: ASYNC110 - the API server tells nobody
            await asyncio.sleep(RETRY_SECONDS)
        log.info("lease.held", lease=self._name, identity=self._identity)

    async def keep(self) -> None:
        """Renew it for as long as that can be done. Raises LeaseLostError when it can't any more."""
        while self._steady() - self._renewed < RENEW_SECONDS:
            await asyncio.sleep(RETRY_SECONDS)
            await self.take()
        raise LeaseLostError(f"the Lease {self._name} was lost: another operator may be active now")

    async def release(self) -> None:
        """Give it up, so that another needn't wait until it has run out."""
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                found = await self._cluster.get(_API_VERSION, _KIND, self._namespace, self._name)
                if found is not None and found["spec"].get("holderIdentity") == self._identity:
                    spec = {**found["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
                    await self._cluster.replace({**found, "spec": spec})
        except (ClusterError, TimeoutError) as error:
            log.warning("lease.kept", lease=self._name, reason=str(error) or type(error).__name__)


async def lead(lease: Lease, work: Callable[[], Awaitable[None]]) -> None:
    """Wait for the Lease, then work until the work ends, this is cancelled, or the Lease is lost.

    Raises what the work raises, and LeaseLostError.
    """
    await lease.wait()
    working, keeping = asyncio.ensure_future(work()), asyncio.ensure_future(lease.keep())
    try:
        await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        lost = keeping.done()
        for task in (working, keeping):
            task.cancel()
        # What doesn't end by then ends with the process: no work is worth two that are active.
        await asyncio.wait({working, keeping}, timeout=END_SECONDS)
        if not lost and working.done():
            await lease.release()
    for task in (working, keeping):
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error
