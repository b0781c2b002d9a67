"""What servers share beside figures: what people did, bulk operations, keys of requests, counts; on a real Redis."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest
from tests.integration.processes import eventually
from tests.integration.redis_kinds import serve_cluster

from edworkers.adapters.redis.books import RedisBooks
from edworkers.adapters.redis.books.shelf import MAX_DEEDS, MAX_OPERATIONS
from edworkers.adapters.redis.connection import connect
from edworkers.core.errors import QueueUnavailableError
from edworkers.core.keys import ServerKeys
from edworkers.ports.books import BulkOperation, Deed
from edworkers.standins.free_port import free_port

T0 = 1_800_000_000_000
WEEK = 7 * 86_400_000


@pytest.fixture
async def client(redis_url: str) -> AsyncGenerator[Any]:
    made = connect(redis_url)
    yield made
    await made.aclose()


@pytest.fixture
def books(client: Any) -> RedisBooks:
    return RedisBooks(client)


@pytest.fixture
async def other(redis_url: str) -> AsyncGenerator[RedisBooks]:
    """The books in the hands of another server."""
    made = connect(redis_url)
    yield RedisBooks(made)
    await made.aclose()


def deed(number: int) -> Deed:
    return Deed(T0 + number, "Zoë", "replay", "ai", f"job-{number}", "<b>because</b>")


def operation(name: str, *, status: str = "waiting", created_at: int = T0) -> BulkOperation:
    wanted = {"text": "timeout", "before": T0, "ids": ["a", "b"]}
    return BulkOperation(name, "ai", "replay", "dead", wanted, "Zoë", created_at, created_at + 10_000, status, 7)


async def test_what_was_done_is_listed_the_latest_first_part_by_part(books: RedisBooks, other: RedisBooks) -> None:
    for number in range(5):
        await (books, other)[number % 2].note(deed(number))
    listed: list[Deed] = []
    before = None
    for size in (2, 2, 1):
        part, before = await books.deeds(before, 2)
        assert len(part) == size
        listed += part
        await books.note(deed(99))
    assert listed == [deed(number) for number in (4, 3, 2, 1, 0)]
    assert before is None


async def test_where_nothing_was_done_there_is_nothing(books: RedisBooks) -> None:
    assert await books.deeds(None, 10) == ((), None)


@pytest.mark.parametrize("before", ["", "x", "1", "1-", "-1", "1-1 2", "+", "(1-1", "1-1\n"])
async def test_what_is_no_place_among_deeds_is_refused(books: RedisBooks, before: str) -> None:
    with pytest.raises(ValueError, match="this isn't a place in the list of what was done"):
        await books.deeds(before, 10)


async def test_of_very_many_deeds_the_latest_are_kept(client: Any, books: RedisBooks) -> None:
    async with client.pipeline(transaction=False) as pipe:
        for _ in range(MAX_DEEDS + 500):
            pipe.execute_command("XADD", ServerKeys().deeds, "*", "d", "[1,2,3,4,5,6]")
        await pipe.execute()
    await books.note(deed(1))
    assert MAX_DEEDS <= await client.execute_command("XLEN", ServerKeys().deeds) <= MAX_DEEDS + 200
    assert (await books.deeds(None, 1))[0] == (deed(1),)


async def test_an_operation_is_kept_as_it_is(books: RedisBooks, other: RedisBooks) -> None:
    made = replace(operation("o"), looked_at=5, changed=3, refused=2, cursor="c", fault="f")
    assert await books.save(made)
    assert await other.operation("o") == made
    assert await other.operation("p") is None


async def test_operations_are_listed_the_latest_first(books: RedisBooks) -> None:
    for number in (2, 1, 3):
        await books.save(operation(f"o{number}", created_at=T0 + number))
    assert [one.id for one in await books.operations(2)] == ["o3", "o2"]


async def test_an_operation_is_changed_only_where_its_status_is_still_as_it_was(
    books: RedisBooks, other: RedisBooks
) -> None:
    assert not await books.save(operation("o"), only_if="waiting")
    await books.save(operation("o"))
    assert await books.save(operation("o", status="undone"), only_if="waiting")
    assert not await other.save(operation("o", status="running"), only_if="waiting")
    kept = await books.operation("o")
    assert kept is not None
    assert kept.status == "undone"


async def test_of_two_that_change_an_operation_at_once_one_does(books: RedisBooks, other: RedisBooks) -> None:
    await books.save(operation("o"))
    both = [
        each.save(operation("o", status=status), only_if="waiting")
        for each, status in ((books, "undone"), (other, "running"))
    ]
    assert sorted(await asyncio.gather(*both)) == [False, True]


async def test_operations_go_after_a_week_and_of_very_many_the_oldest(client: Any, books: RedisBooks) -> None:
    await books.save(operation("old"))
    assert 0 < await client.execute_command("PTTL", ServerKeys().operation("old")) <= WEEK
    await books.save(operation("new", created_at=T0 + WEEK + 1))
    assert [one.id for one in await books.operations(10)] == ["new"]
    for number in range(MAX_OPERATIONS + 5):
        await books.save(operation(f"o{number}", created_at=T0 + WEEK + 2 + number))
    assert await client.execute_command("ZCARD", ServerKeys().operations) == MAX_OPERATIONS
    assert [one.id for one in await books.operations(1)] == [f"o{MAX_OPERATIONS + 4}"]


async def test_an_operation_that_has_expired_while_it_is_listed_is_left_out(client: Any, books: RedisBooks) -> None:
    await books.save(operation("a"))
    await books.save(operation("b"))
    await client.execute_command("DEL", ServerKeys().operation("a"))
    assert [one.id for one in await books.operations(10)] == ["b"]


async def test_one_server_at_a_time_has_the_turn_and_may_keep_it(books: RedisBooks, other: RedisBooks) -> None:
    assert await books.take_turn("o", "s1", 600_000)
    assert not await other.take_turn("o", "s2", 600_000)
    assert await books.take_turn("o", "s1", 600_000)
    assert await other.take_turn("p", "s2", 600_000)


async def test_a_turn_that_is_over_goes_to_another_server(books: RedisBooks, other: RedisBooks) -> None:
    assert await books.take_turn("o", "s1", 1)

    async def taken() -> bool:
        return await other.take_turn("o", "s2", 600_000)

    await eventually(taken)
    assert not await books.take_turn("o", "s1", 1)


async def test_the_first_value_under_a_requests_key_stays(client: Any, books: RedisBooks, other: RedisBooks) -> None:
    assert await books.once("k", b"\x00first", 60) is None
    assert await other.once("k", b"second", 60) == b"\x00first"
    assert await books.once("k", b"third", 60) == b"\x00first"
    assert await books.once("l", b"other", 60) is None
    assert 0 < await client.execute_command("TTL", ServerKeys().once("k")) <= 60


async def test_of_many_with_one_key_at_once_one_is_the_first(books: RedisBooks, other: RedisBooks) -> None:
    values = [str(number).encode() for number in range(20)]
    found = await asyncio.gather(*((books, other)[n % 2].once("k", value, 60) for n, value in enumerate(values)))
    assert found.count(None) == 1
    assert set(found) - {None} == {values[found.index(None)]}


async def test_calls_are_counted_by_all_servers_together(client: Any, books: RedisBooks, other: RedisBooks) -> None:
    year = 366 * 86_400
    counted = await asyncio.gather(*((books, other)[number % 2].count("key", year) for number in range(10)))
    assert sorted(counted) == list(range(1, 11))
    assert await books.count("another", year) == 1
    assert 0 < await client.execute_command("TTL", ServerKeys().count("key")) <= year


async def test_in_the_next_window_calls_are_counted_anew(client: Any, books: RedisBooks) -> None:
    await books.count("key", 600)
    await books.count("key", 600)
    await client.execute_command("HSET", ServerKeys().count("key"), "window", "1/600")
    assert await books.count("key", 600) == 1


async def test_a_limit_whose_window_was_changed_counts_anew(books: RedisBooks) -> None:
    year = 366 * 86_400
    await books.count("key", year)
    assert await books.count("key", 2 * year) == 1


async def test_all_books_lie_in_one_slot_of_a_cluster() -> None:
    async with serve_cluster() as cluster:
        client = connect(cluster.address, ServerKeys().deeds)
        books = RedisBooks(client)
        await books.note(deed(1))
        assert await books.save(operation("o"))
        assert await books.take_turn("o", "s", 1000)
        assert await books.once("k", b"v", 60) is None
        assert await books.count("k", 366 * 86_400) == 1
        assert (await books.deeds(None, 1), await books.operations(1)) == (((deed(1),), None), [operation("o")])
        await client.aclose()


async def test_without_a_redis_everything_is_an_error_at_once() -> None:
    client = connect(f"redis://127.0.0.1:{free_port()}")
    books = RedisBooks(client)
    for call in (
        *(books.note(deed(1)), books.deeds(None, 1), books.save(operation("o")), books.operation("o")),
        *(books.operations(1), books.take_turn("o", "s", 1), books.once("k", b"v", 1), books.count("k", 1)),
    ):
        with pytest.raises(QueueUnavailableError, match="Redis can't be used"):
            await call
    await client.aclose()
