"""The world of a Redis Cluster, whose three masters share the queues among them."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from tests.contract.world import QUEUE, RedisWorld
from tests.integration.redis_kinds import Cluster

from edworkers.adapters.redis.connection import connect
from edworkers.adapters.redis.routes import Routes
from edworkers.adapters.redis.whereabouts import SLOTS, slot_of
from edworkers.core.keys import QueueKeys


class ClusterWorld(RedisWorld):
    """The queue as it runs on a cluster: a script that touches a key that it doesn't name is refused there."""

    def __init__(self, cluster: Cluster, stack: contextlib.AsyncExitStack) -> None:
        self._stack = stack
        self._cluster = cluster
        self._clients: dict[str, Any] = {}
        # Time passes for one server after the other. Last where the queue is: what waits for a limit sees it open then.
        last = slot_of(QueueKeys(QUEUE).pending) * len(cluster.masters) // SLOTS + 1
        masters = [*cluster.masters[last:], *cluster.masters[:last]]
        self._servers = [self._opened(connect(server.url)) for server in masters]
        routes = Routes(cluster.address)
        stack.push_async_callback(routes.close)
        super().__init__(cluster.address, routes)

    def _opened(self, client: Any) -> Any:
        self._stack.push_async_callback(client.aclose)
        return client

    def client_of(self, queue: str) -> Any:
        if queue not in self._clients:
            self._clients[queue] = self._opened(connect(self._cluster.address, f"{{{queue}}}"))
        return self._clients[queue]

    def servers(self) -> list[Any]:
        return self._servers


@contextlib.asynccontextmanager
async def on_cluster(cluster: Cluster) -> AsyncGenerator[ClusterWorld]:
    """The world of an empty cluster."""
    async with contextlib.AsyncExitStack() as stack:
        world = ClusterWorld(cluster, stack)
        for server in world.servers():
            await server.execute_command("FLUSHALL")
            await server.execute_command("SCRIPT", "FLUSH")
        yield world
