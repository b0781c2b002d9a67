"""Limits over several windows at once."""

import pytest
from tests.contract.world import World

from edworkers.core.settings import Window

DAY = 86_400


def a_minute(limit: int) -> Window:
    return Window(name="burst", limit=limit, window="minute")


def a_day(world: World, limit: int) -> Window:
    return Window(name="day", limit=limit, window="day", time_zone=world.zone)


def a_month(world: World, limit: int) -> Window:
    return Window(name="month", limit=limit, window="month", time_zone=world.zone)


async def test_a_minute_allows_so_many_and_no_more(world: World) -> None:
    limiter = world.limiter(a_minute(5))
    assert (await limiter.reserve(3)).granted == 3
    assert (await limiter.reserve(3)).granted == 2
    refused = await limiter.reserve(3)
    assert (refused.granted, refused.window) == (0, "burst")
    assert 0 < refused.retry_ms <= 60_001


async def test_a_minute_rolls_on_with_each_reservation(world: World) -> None:
    limiter = world.limiter(a_minute(5))
    await limiter.reserve(2)
    await world.advance(30)
    await limiter.reserve(3)
    assert (await limiter.reserve(1)).granted == 0
    await world.advance(30)
    assert (await limiter.reserve(5)).granted == 2
    await world.advance(30)
    assert (await limiter.reserve(5)).granted == 3


async def test_a_minute_says_when_there_is_room_again(world: World) -> None:
    limiter = world.limiter(a_minute(1))
    await limiter.reserve(1)
    await world.advance(20)
    assert 35_000 < (await limiter.reserve(1)).retry_ms <= 40_001


@pytest.mark.parametrize("kind", ["day", "month"])
async def test_a_calendar_window_allows_so_many_until_it_ends(world: World, kind: str) -> None:
    window, length = (a_day(world, 3), DAY) if kind == "day" else (a_month(world, 3), 31 * DAY)
    limiter = world.limiter(window)
    assert (await limiter.reserve(5)).granted == 3
    refused = await limiter.reserve(1)
    assert (refused.granted, refused.window) == (0, kind)
    assert 0 < refused.retry_ms <= length * 1000
    await world.advance(length)
    assert (await limiter.reserve(5)).granted == 3


async def test_the_tightest_of_several_windows_decides(world: World) -> None:
    limiter = world.limiter(a_minute(10), a_day(world, 4), a_month(world, 7))
    assert (await limiter.reserve(10)).granted == 4
    assert (await limiter.reserve(10)).window == "day"
    await world.advance(DAY)
    assert (await limiter.reserve(10)).granted == 3
    assert (await limiter.reserve(10)).window == "month"


async def test_what_one_window_refuses_no_other_counts(world: World) -> None:
    limiter = world.limiter(a_minute(10), a_day(world, 2))
    await limiter.reserve(2)
    for _ in range(5):
        assert (await limiter.reserve(3)).granted == 0
    assert [(usage.window, usage.used) for usage in await limiter.usage()] == [("burst", 2), ("day", 2)]


async def test_of_two_windows_that_are_used_up_the_longer_is_named(world: World) -> None:
    limiter = world.limiter(a_minute(2), a_day(world, 2))
    await limiter.reserve(2)
    refused = await limiter.reserve(1)
    assert refused.window == "day"
    assert refused.retry_ms > 60_001


async def test_of_two_windows_that_are_used_up_the_longer_is_named_in_whatever_order(world: World) -> None:
    limiter = world.limiter(a_month(world, 2), a_day(world, 2), a_minute(2))
    await limiter.reserve(2)
    assert (await limiter.reserve(1)).window == "month"


async def test_what_was_not_used_can_be_given_back(world: World) -> None:
    limiter = world.limiter(a_minute(5), a_day(world, 5))
    grant = await limiter.reserve(5)
    await limiter.refund(grant.reservation, 3)
    assert [usage.used for usage in await limiter.usage()] == [2, 2]
    assert (await limiter.reserve(5)).granted == 3


async def test_a_whole_reservation_can_be_given_back(world: World) -> None:
    limiter = world.limiter(a_minute(5), a_day(world, 5))
    await limiter.refund((await limiter.reserve(5)).reservation, 5)
    assert [usage.used for usage in await limiter.usage()] == [0, 0]


async def test_a_reservation_is_given_back_once(world: World) -> None:
    limiter = world.limiter(a_minute(5), a_day(world, 5))
    await limiter.reserve(2)
    grant = await limiter.reserve(3)
    for _ in range(3):
        await limiter.refund(grant.reservation, 2)
    assert [usage.used for usage in await limiter.usage()] == [3, 3]


async def test_no_more_is_given_back_than_was_reserved(world: World) -> None:
    limiter = world.limiter(a_minute(5), a_day(world, 5))
    await limiter.reserve(2)
    await limiter.refund((await limiter.reserve(3)).reservation, 100)
    assert [usage.used for usage in await limiter.usage()] == [2, 2]


async def test_a_reservation_can_be_given_back_after_others_were_made(world: World) -> None:
    limiter = world.limiter(a_minute(5), a_day(world, 5))
    first = await limiter.reserve(2)
    await limiter.reserve(2)
    await limiter.refund(first.reservation, 2)
    assert [usage.used for usage in await limiter.usage()] == [2, 2]


async def test_nothing_and_the_unknown_are_given_back_without_effect(world: World) -> None:
    limiter = world.limiter(a_minute(5))
    grant = await limiter.reserve(2)
    await limiter.refund("unknown", 2)
    await limiter.refund(grant.reservation, 0)
    await limiter.refund(grant.reservation, -1)
    assert [usage.used for usage in await limiter.usage()] == [2]


async def test_what_is_given_back_after_its_minute_does_not_count_against_the_next(world: World) -> None:
    limiter = world.limiter(a_minute(5), a_day(world, 9))
    grant = await limiter.reserve(5)
    await world.advance(61)
    await limiter.reserve(4)
    await limiter.refund(grant.reservation, 5)
    assert [usage.used for usage in await limiter.usage()] == [4, 4]


async def test_a_limit_is_shared_by_every_runner(world: World) -> None:
    one, two = world.limiter(a_minute(5), runner="one"), world.limiter(a_minute(5), runner="two")
    assert [(await one.reserve(3)).granted, (await two.reserve(3)).granted] == [3, 2]
    assert [usage.used for usage in await one.usage()] == [5]


async def test_usage_names_each_window_its_limit_and_its_end(world: World) -> None:
    limiter = world.limiter(a_minute(5), a_day(world, 20), a_month(world, 300))
    now = world.clock.now()
    await limiter.reserve(2)
    burst, day, month = await limiter.usage()
    assert (burst.window, burst.used, burst.limit) == ("burst", 2, 5)
    assert (day.window, day.used, day.limit) == ("day", 2, 20)
    assert (month.window, month.used, month.limit) == ("month", 2, 300)
    assert now + 30_000 < burst.resets_at < day.resets_at <= month.resets_at


async def test_to_reserve_nothing_takes_nothing(world: World) -> None:
    limiter = world.limiter(a_minute(5))
    assert (await limiter.reserve(0)).granted == 0
    assert [usage.used for usage in await limiter.usage()] == [0]


async def test_a_reservation_whose_reply_is_lost_wastes_no_more_than_its_minute(world: World) -> None:
    limiter = world.limiter(a_minute(5))
    world.lose_next_reply()
    grant = await limiter.reserve(2)
    assert grant.granted == 2
    await limiter.refund(grant.reservation, 1)
    await world.advance(61)
    assert (await limiter.reserve(9)).granted == 5
