"""Connecting to the first of several addresses that answers, as Happy Eyeballs has it (RFC 8305)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address
from itertools import chain, zip_longest
from typing import TypeVar

from edworkers.adapters.guarded_http.addresses import Address

STAGGER_SECONDS = 0.25
"""How long an address may take before the next is tried beside it."""
MOST_ADDRESSES = 8

C = TypeVar("C")


def in_turn(addresses: Sequence[Address]) -> list[Address]:
    """Put IPv6 and IPv4 in turn, the kind of the first one first, without repetitions, and not too many."""
    each_once = list(dict.fromkeys(addresses))
    four: list[Address] = [address for address in each_once if isinstance(address, IPv4Address)]
    six: list[Address] = [address for address in each_once if not isinstance(address, IPv4Address)]
    first, second = (four, six) if each_once and isinstance(each_once[0], IPv4Address) else (six, four)
    pairs = chain.from_iterable(zip_longest(first, second))
    return [address for address in pairs if address is not None][:MOST_ADDRESSES]


async def first_to_connect(
    addresses: Sequence[Address],
    connect: Callable[[Address], Awaitable[C]],
    close: Callable[[C], Awaitable[None]],
    stagger: float = STAGGER_SECONDS,
) -> C:
    """Give the first connection that comes about; what the others come to is closed.

    Raises what the first address that failed raised, if none works.
    """
    if len(addresses) == 1:
        return await connect(addresses[0])
    waiting = list(addresses)
    running: list[asyncio.Task[C]] = []
    try:
        while waiting or any(not task.done() for task in running):
            if waiting:
                running.append(asyncio.ensure_future(connect(waiting.pop(0))))
            open_tasks = [task for task in running if not task.done()]
            done, _ = await asyncio.wait(
                open_tasks, timeout=stagger if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                if task.exception() is None:
                    running.remove(task)
                    return task.result()
        return await running[0]
    finally:
        await _end(running, close)


async def _end(tasks: Sequence["asyncio.Task[C]"], close: Callable[[C], Awaitable[None]]) -> None:
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(ended, BaseException):
            await close(ended)
