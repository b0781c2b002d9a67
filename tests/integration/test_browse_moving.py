"""Page after page while jobs come and go: what stays all the while is seen once."""

import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from pydantic_core import to_json
from tests.integration.browsing import Browsed, ids_of

from edworkers.core.lifecycle import State
from edworkers.core.settings import Groups
from edworkers.ports import Enqueue
from edworkers.ports.browse import JobSummary

LATER = 4_000_000_000_000
MANY = 10_000


@pytest.fixture
async def queue(redis_url: str) -> AsyncGenerator[Browsed]:
    browsed = Browsed(redis_url)
    yield browsed
    await browsed.close()


def doubles(jobs: Sequence[JobSummary]) -> list[str]:
    return [job_id for job_id, count in Counter(ids_of(jobs)).items() if count > 1]


def names(count: int, prefix: str = "j") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


async def test_ten_thousand_that_wait_are_all_seen_once(queue: Browsed) -> None:
    await queue.push_many(names(MANY))
    jobs, sizes = await queue.every(State.PENDING, 100)
    assert ids_of(jobs) == names(MANY)
    assert sizes == [100] * 100


@pytest.mark.parametrize("claims", [1, 37, 120, 999])
async def test_those_that_wait_all_the_while_are_seen_once_while_others_are_claimed_and_pushed(
    queue: Browsed, claims: int
) -> None:
    await queue.push_many(names(2000))

    async def meanwhile(turn: int) -> None:
        await queue.client.rpop(queue.key("pending"), claims)
        await queue.push_many(names(5, f"new{turn}-"))

    jobs, sizes = await queue.every(State.PENDING, 50, meanwhile)
    left = {f"j{number}" for number in range(claims * len(sizes), 2000)}
    assert doubles(jobs) == []
    assert left <= set(ids_of(jobs))


async def test_jobs_that_are_put_to_the_front_make_nobody_else_be_seen_twice(queue: Browsed) -> None:
    await queue.push_many(names(500))

    async def meanwhile(turn: int) -> None:
        urgent = [Enqueue(job_id, to_json({"id": job_id}), urgent=True) for job_id in names(7, f"urgent{turn}-")]
        await queue.control.enqueue(urgent)

    jobs, _ = await queue.every(State.PENDING, 50, meanwhile)
    assert ids_of(jobs) == names(500)


async def test_when_all_that_were_seen_have_been_claimed_the_next_page_begins_at_the_front(queue: Browsed) -> None:
    await queue.push_many(names(300))
    page = await queue.browser.page(State.PENDING, None, 50)
    await queue.client.rpop(queue.key("pending"), 200)
    following = await queue.browser.page(State.PENDING, page.next, 50)
    assert ids_of(following.jobs) == names(300)[200:250]


async def test_a_list_that_is_emptied_meanwhile_ends(queue: Browsed) -> None:
    await queue.push_many(names(300))
    page = await queue.browser.page(State.PENDING, None, 50)
    await queue.client.delete(queue.key("pending"))
    following = await queue.browser.page(State.PENDING, page.next, 50)
    assert (following.jobs, following.next, following.total) == ([], None, 0)


async def test_far_down_the_list_a_place_is_found_again_after_many_claims(queue: Browsed) -> None:
    await queue.push_many(names(MANY))
    cursor = None
    for _ in range(80):
        cursor = (await queue.browser.page(State.PENDING, cursor, 100)).next
    await queue.client.rpop(queue.key("pending"), 4900)
    following = await queue.browser.page(State.PENDING, cursor, 100)
    assert ids_of(following.jobs) == names(MANY)[8000:8100]


async def test_jobs_that_wake_runners_are_seen_once(queue: Browsed) -> None:
    await queue.push_many(names(100))

    async def meanwhile(turn: int) -> None:
        wakes = turn % 2
        ends = (("pending", "arrived", "RIGHT", "LEFT"), ("arrived", "pending", "RIGHT", "RIGHT"))[wakes]
        await queue.client.lmove(queue.key(ends[0]), queue.key(ends[1]), *ends[2:])

    jobs, _ = await queue.every(State.PENDING, 10, meanwhile)
    assert ids_of(jobs) == names(100)


async def test_in_a_fair_queue_nothing_is_missed_while_jobs_are_sorted_and_claimed(redis_url: str) -> None:
    queue = Browsed(redis_url, groups=Groups(by="school"))
    ids = names(600)
    await queue.client.lpush(
        queue.key("pending"),
        *(to_json({"id": job_id, "data": {"school": f"s{number % 7}"}}) for number, job_id in enumerate(ids)),
    )
    await queue.queue.sort(300)
    claimed: set[str] = set()

    async def meanwhile(_turn: int) -> None:
        await queue.queue.sort(20)
        for delivery in (await queue.queue.cycle((), (), 5)).deliveries:
            claimed.add(delivery.raw.split(b'"')[3].decode())

    jobs, _ = await queue.every(State.PENDING, 25, meanwhile)
    await queue.close()
    assert set(ids) - claimed <= set(ids_of(jobs))


async def test_lines_are_paged_without_loss_or_doubles(redis_url: str) -> None:
    queue = Browsed(redis_url, groups=Groups(by="school"))
    for number in range(90):
        await queue.push(f"j{number}", {"school": f"s{number % 3}"})
    await queue.queue.sort(500)
    jobs, sizes = await queue.every(State.PENDING, 7)
    await queue.close()
    assert [job.group for job in jobs] == ["s0"] * 30 + ["s1"] * 30 + ["s2"] * 30
    assert (doubles(jobs), sizes) == ([], [7] * 12 + [6])


@pytest.mark.parametrize("spread", [1, 10, MANY], ids=["all at one time", "at ten times", "each at its own"])
async def test_ten_thousand_delayed_ones_are_seen_once_while_others_come_and_go(queue: Browsed, spread: int) -> None:
    chance = random.Random(spread)
    due = {job_id: LATER + chance.randrange(spread) for job_id in names(MANY)}
    await _delay(queue, due)
    gone: set[str] = set()

    async def meanwhile(turn: int) -> None:
        some = chance.sample(names(MANY), 20)
        gone.update(some)
        await queue.client.zrem(queue.key("delayed"), *some)
        await queue.client.hdel(queue.key("entries"), *some)
        await _delay(queue, {f"new{turn}-{number}": LATER + chance.randrange(spread) for number in range(20)})

    jobs, _ = await queue.every(State.DELAYED, 100, meanwhile)
    assert doubles(jobs) == []
    assert set(names(MANY)) - gone <= set(ids_of(jobs))
    assert [job.at for job in jobs] == sorted(job.at or 0 for job in jobs)


async def _delay(queue: Browsed, due: dict[str, int]) -> None:
    await queue.client.zadd(queue.key("delayed"), due)
    entries: dict[str, Any] = {i: f'\x1e0 0 {at} {i}\n{{"id":"{i}"}}' for i, at in due.items()}
    await queue.client.hset(queue.key("entries"), mapping=entries)


@pytest.mark.parametrize("state", [State.DEAD, State.DONE])
async def test_ten_thousand_that_ended_are_seen_once_while_others_end_and_are_dropped(
    queue: Browsed, state: State
) -> None:
    key = queue.key("dead" if state is State.DEAD else "finished")
    chance = random.Random(7)

    async def end(ids: Sequence[str], first: int) -> None:
        async with queue.client.pipeline(transaction=False) as pipe:
            for number, job_id in enumerate(ids):
                at = first + number // 50
                pipe.hset(queue.key(f"job:{job_id}"), mapping={"state": state.value, "finishedAt": at})
                pipe.zadd(key, {f"{300 + number % 9}:{job_id}": at})
            await pipe.execute()

    await end(names(MANY), 1000)
    gone: set[str] = set()

    async def meanwhile(turn: int) -> None:
        some = chance.sample(range(MANY), 20)
        gone.update(f"j{number}" for number in some)
        await queue.client.zrem(key, *(f"{300 + number % 9}:j{number}" for number in some))
        await end(names(20, f"new{turn}-"), 100_000 + turn)

    jobs, _ = await queue.every(state, 100, meanwhile)
    assert doubles(jobs) == []
    assert set(names(MANY)) - gone <= set(ids_of(jobs))
    assert [job.at for job in jobs] == sorted((job.at or 0 for job in jobs), reverse=True)


async def test_those_in_flight_are_seen_once_while_leases_are_renewed_and_others_end(queue: Browsed) -> None:
    await queue.push_many(names(300))
    held = [*(await queue.queue.cycle((), (), 200)).deliveries, *(await queue.queue.cycle((), (), 100)).deliveries]
    ended: set[str] = set()

    async def meanwhile(turn: int) -> None:
        await queue.client.zadd(queue.key("lease"), {held[-turn].receipt: LATER + turn}, xx=True)
        gone = held[turn * 3].receipt
        ended.add(gone)
        await queue.client.zrem(queue.key("lease"), gone)
        await queue.client.hdel(queue.key("inflight"), gone)
        await queue.push_many(names(2, f"new{turn}-"))
        await queue.queue.cycle((), (), 2)

    jobs, _ = await queue.every(State.INFLIGHT, 20, meanwhile)
    stayed = {delivery.raw.split(b'"')[3].decode() for delivery in held if delivery.receipt not in ended}
    assert doubles(jobs) == []
    assert stayed <= set(ids_of(jobs))
