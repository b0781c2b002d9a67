"""A call by a pipe can be cancelled at any moment, also while it connects."""

import asyncio

import pytest

from edworkers.adapters.redis.pipe import Pipe


@pytest.mark.parametrize("turns", range(0, 60, 3))
async def test_a_cancellation_is_never_lost(redis_url: str, turns: int) -> None:
    """At whichever turn of the event loop it comes: with redis-py's own time-outs, many were lost."""
    for _ in range(10):
        pipe = Pipe(redis_url)

        async def call_for_ever(pipe: Pipe = pipe) -> None:
            while True:
                await pipe.execute_command("PING")

        calling = asyncio.create_task(call_for_ever())
        for _ in range(turns):
            await asyncio.sleep(0)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await pipe.close()
