import asyncio

import pytest

from edworkers.cli.in_time import in_time
from edworkers.core.errors import QueueUnavailableError


class Port:
    async def twice(self, number: int, *, more: int = 0) -> int:
        return 2 * number + more

    async def never(self) -> None:
        await asyncio.Event().wait()

    async def refuse(self) -> None:
        raise ValueError("no")


async def test_a_call_that_ends_in_time_is_as_it_was() -> None:
    port = in_time(Port(), 60)
    assert await port.twice(3, more=1) == 7
    with pytest.raises(ValueError, match="no"):
        await port.refuse()


async def test_a_call_that_does_not_is_an_unusable_redis() -> None:
    with pytest.raises(QueueUnavailableError, match=r"no answer within 0\.01 s"):
        await in_time(Port(), 0.01).never()
