"""Figures over time, as servers keep and read them on a real Redis."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from edworkers.adapters.redis.books import RedisBooks
from edworkers.adapters.redis.books.ring import RINGS
from edworkers.adapters.redis.connection import connect
from edworkers.core.errors import QueueUnavailableError
from edworkers.core.keys import ServerKeys
from edworkers.ports.books import Sample
from edworkers.standins.free_port import free_port

T0 = 1_800_000_000_000
STEP = 10_000


@pytest.fixture
async def client(redis_url: str) -> AsyncGenerator[Any]:
    made = connect(redis_url)
    yield made
    await made.aclose()


@pytest.fixture
def books(client: Any) -> RedisBooks:
    return RedisBooks(client)


def sample(at: int, **more: Any) -> Sample:
    given = {"pending": 5, "inflight": 2, "delayed": 1, "dead": 3, "done": 10, "failed": 1, "arrived": 11, "runners": 4}
    return Sample(at=at, latency_ms=20, slow_ms=90, ran_ms=7, **{**given, **more})


async def test_where_nothing_was_kept_there_is_nothing(books: RedisBooks) -> None:
    assert await books.series("ai", 0, T0) == ()


async def test_samples_are_given_as_they_were_kept_the_oldest_first(books: RedisBooks) -> None:
    kept = [sample(T0 + number * STEP, pending=number) for number in range(30)]
    for one in kept:
        await books.add_sample("ai", one)
    assert await books.series("ai", T0, T0 + 29 * STEP) == kept
    assert await books.series("ai", T0 + 3 * STEP, T0 + 5 * STEP) == kept[3:6]
    assert await books.series("webhook", T0, T0 + 29 * STEP) == ()


async def test_a_samples_time_is_rounded_down_to_its_step(books: RedisBooks) -> None:
    await books.add_sample("ai", sample(T0 + 9_999))
    assert await books.series("ai", T0, T0 + STEP) == [sample(T0)]


async def test_a_sample_of_another_server_for_the_same_time_makes_way(books: RedisBooks) -> None:
    for done in (10, 12, 12):
        await books.add_sample("ai", sample(T0, done=done))
    assert [one.done for one in await books.series("ai", T0, T0)] == [12]
    assert [one.done for one in await books.series("ai", T0 - 3 * 86_400_000, T0)] == [12]


async def test_wider_steps_are_made_as_samples_are_kept(books: RedisBooks) -> None:
    for number in range(90):
        await books.add_sample("ai", sample(T0 + number * STEP, pending=number))
    six_hours = await books.series("ai", T0 - 6 * 3_600_000, T0 + 90 * STEP)
    assert [(one.at, one.done, one.pending) for one in six_hours] == [
        (T0 + minute * 60_000, 60, minute * 6 + 5) for minute in range(15)
    ]
    days = await books.series("ai", T0 - 2 * 86_400_000, T0 + 90 * STEP)
    assert sum(one.done for one in days) == 900
    assert [one.latency_ms for one in days] == [20] * len(days)


async def test_old_samples_make_way_for_new_ones_and_are_never_taken_for_them(books: RedisBooks) -> None:
    await books.add_sample("ai", sample(T0, pending=1))
    later = T0 + RINGS[0].span_ms
    await books.add_sample("ai", sample(later + STEP, pending=2))
    assert [one.pending for one in await books.series("ai", later - STEP, later + STEP)] == [2]
    hours = await books.series("ai", T0 - 60_000, later + STEP)
    assert [one.pending for one in hours] == [1, 2]


async def test_a_week_is_given_in_at_most_four_hundred_samples(books: RedisBooks) -> None:
    for hour in range(8 * 24):
        await books.add_sample("ai", sample(T0 + hour * 3_600_000))
    end = T0 + 8 * 24 * 3_600_000
    week = await books.series("ai", end - 7 * 86_400_000, end)
    assert 160 <= len(week) <= 168
    assert sum(one.done for one in week) == 10 * len(week)


async def test_times_that_are_not_known_stay_so(books: RedisBooks) -> None:
    await books.add_sample("ai", sample(T0)._replace(latency_ms=None, slow_ms=None, ran_ms=None))
    [one] = await books.series("ai", T0, T0)
    assert (one.latency_ms, one.slow_ms, one.ran_ms) == (None, None, None)


async def test_a_queue_takes_a_bounded_room_and_goes_when_it_is_no_longer_sampled(
    client: Any, books: RedisBooks
) -> None:
    for number in range(800):
        await books.add_sample("ai", sample(T0 + number * STEP))
    keys = [ServerKeys().series("ai", ring.step_seconds) for ring in RINGS]
    for key, ring in zip(keys, RINGS, strict=True):
        assert await client.execute_command("STRLEN", key) <= ring.size
        assert 0 < await client.execute_command("TTL", key) <= ring.span_ms // 1000
    assert await client.execute_command("DBSIZE") == len(keys)


async def test_without_a_redis_it_is_an_error_at_once() -> None:
    client = connect(f"redis://127.0.0.1:{free_port()}")
    books = RedisBooks(client)
    for call in (books.add_sample("ai", sample(T0)), books.series("ai", 0, T0)):
        with pytest.raises(QueueUnavailableError, match="Redis can't be used"):
            await call
    await client.aclose()
