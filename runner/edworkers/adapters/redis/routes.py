"""Sends each command to the node of a cluster that has its keys, one connection a node."""

import asyncio
from contextlib import suppress
from typing import Any

import redis

from edworkers.adapters.redis.address import Host, RedisAddress
from edworkers.adapters.redis.connection import CONNECTION_ERRORS, find_host, is_outage
from edworkers.adapters.redis.pipe import Pipe
from edworkers.adapters.redis.whereabouts import OfCluster, slot_of


def key_of(words: tuple[Any, ...]) -> str:
    """Find the first key of a command: for a script the first of its KEYS, else its first word."""
    return str(words[3] if words[0] in {"EVALSHA", "EVAL"} else words[1])


class Routes:
    """What a `Pipe` is for a single Redis. A node that failed, or has a slot no more, is looked for anew.

    A slot that moves is waited for, and isn't asked for at its next node beforehand: there, a script is refused as long
    as any of its keys is missing, and most of them exist only now and then.
    """

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._places: dict[int, OfCluster] = {}
        self._by_slot: dict[int, Pipe] = {}
        self._by_host: dict[Host, Pipe] = {}
        self._finding: dict[int, asyncio.Lock] = {}
        """One call at a time looks for a slot, so that calls are sent in the order in which they were made."""

    async def execute_command(self, *words: Any) -> Any:
        """Send a command and wait for its reply."""
        slot = slot_of(key_of(words))
        pipe = self._by_slot.get(slot) or await self._find(slot)
        try:
            return await pipe.execute_command(*words)
        except (*CONNECTION_ERRORS, redis.RedisError) as error:
            if is_outage(error):
                await self._forget(pipe)
            raise

    async def _find(self, slot: int) -> Pipe:
        async with self._finding.setdefault(slot, asyncio.Lock()):
            if slot in self._by_slot:
                return self._by_slot[slot]
            place = self._places.setdefault(slot, OfCluster(self._address, slot))
            host = await find_host(place)
            pipe = self._by_host.get(host)
            if pipe is None:
                pipe = self._by_host[host] = Pipe(self._address.only(host))
            self._by_slot[slot] = pipe
            return pipe

    async def _forget(self, pipe: Pipe) -> None:
        self._by_slot = {slot: other for slot, other in self._by_slot.items() if other is not pipe}
        self._by_host = {host: other for host, other in self._by_host.items() if other is not pipe}
        with suppress(*CONNECTION_ERRORS):
            await pipe.close()

    async def close(self) -> None:
        """Close every connection; calls under way raise."""
        for pipe in list(self._by_host.values()):
            await self._forget(pipe)


def open_client(address: RedisAddress) -> "Pipe | Routes":
    """Open what runners and keepers send their calls by; it connects at the first."""
    return Routes(address) if address.mode == "cluster" else Pipe(address)
