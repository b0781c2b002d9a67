"""The text that a job writes while it runs: who may write it, how much of it is kept, and for how long."""

import pytest
from tests.contract.steps import begin, payload, settle
from tests.contract.world import World

from edworkers.core.settings import Retention
from edworkers.core.written_text import MAX_TEXT_BYTES, MAX_TEXT_PIECES, TEXT_KEPT_MS
from edworkers.ports import JobQueue, QueueControl

A = payload("a")
HOUR = TEXT_KEPT_MS // 1000


async def append(queue: JobQueue, receipt: str, *pieces: bytes, restart: bool = False) -> None:
    for piece in pieces:
        assert await queue.append_text("a", receipt, piece, restart=restart)
        restart = False


async def test_a_text_is_kept_piece_by_piece(world: World, queue: JobQueue) -> None:
    await world.push(A)
    holder = await begin(queue, "a")
    assert await world.text("a") == []
    await append(queue, holder.receipt, b"Once ", "upon é".encode(), b" a time", restart=True)
    assert await world.text("a") == [b"Once ", "upon é".encode(), b" a time"]


async def test_a_text_begins_anew_where_it_is_said_to(world: World, queue: JobQueue) -> None:
    await world.push(A)
    holder = await begin(queue, "a")
    await append(queue, holder.receipt, b"Once ", b"upon", restart=True)
    await append(queue, holder.receipt, b"There was ", b"a king", restart=True)
    assert await world.text("a") == [b"There was ", b"a king"]


async def test_a_text_is_written_by_the_holder_only(world: World, queue: JobQueue) -> None:
    await world.push(A)
    late = await begin(queue, "a")
    await append(queue, late.receipt, b"Once ", restart=True)
    await world.expire_leases()
    await queue.reap(1)
    holder = await begin(queue, "a")
    assert not await queue.append_text("a", late.receipt, b"upon", restart=False)
    assert not await queue.append_text("a", late.receipt, b"upon", restart=True)
    assert await world.text("a") == [b"Once "]
    await append(queue, holder.receipt, b"There was", restart=True)
    await settle(queue, "ack", holder, "a")
    assert not await queue.append_text("a", holder.receipt, b" a king", restart=False)
    assert await world.text("a") == [b"There was"]


async def test_a_piece_whose_reply_was_lost_is_written_once(world: World, queue: JobQueue) -> None:
    await world.push(A)
    holder = await begin(queue, "a")
    for piece, restart in ((b"Once ", True), (b"upon ", False), (b"upon ", False)):
        world.lose_next_reply()
        assert await queue.append_text("a", holder.receipt, piece, restart=restart)
    assert await world.text("a") == [b"Once ", b"upon ", b"upon "]


@pytest.mark.parametrize("end", [b"x", "é".encode(), "€".encode(), "𝄞".encode()])
async def test_a_long_text_is_kept_up_to_a_whole_character_and_has_no_hole(
    world: World, queue: JobQueue, end: bytes
) -> None:
    await world.push(A)
    holder = await begin(queue, "a")
    most = b"a" * (MAX_TEXT_BYTES - 1)
    await append(queue, holder.receipt, most, end, b"later", restart=True)
    kept = b"".join(await world.text("a"))
    assert kept == (most + end if len(end) == 1 else most)
    await append(queue, holder.receipt, b"anew", restart=True)
    assert await world.text("a") == [b"anew"]


async def test_a_single_piece_that_is_too_long_is_cut(world: World, queue: JobQueue) -> None:
    await world.push(A)
    holder = await begin(queue, "a")
    await append(queue, holder.receipt, b"a" * (MAX_TEXT_BYTES + 10), b"later", restart=True)
    assert await world.text("a") == [b"a" * MAX_TEXT_BYTES]


async def test_of_very_many_pieces_the_first_are_kept(world: World, queue: JobQueue) -> None:
    await world.push(A)
    holder = await begin(queue, "a")
    pieces = [b"%d," % number for number in range(MAX_TEXT_PIECES + 2)]
    await append(queue, holder.receipt, *pieces, restart=True)
    assert await world.text("a") == pieces[:MAX_TEXT_PIECES]


async def test_a_text_is_kept_for_an_hour_from_its_latest_piece_on(world: World, queue: JobQueue) -> None:
    await world.push(A)
    holder = await begin(queue, "a")
    await append(queue, holder.receipt, b"Once ", restart=True)
    await world.advance(HOUR - 60)
    await append(queue, holder.receipt, b"upon")
    await settle(queue, "ack", holder, "a")
    await world.advance(HOUR - 60)
    assert await world.text("a") == [b"Once ", b"upon"]
    await world.advance(61)
    assert await world.text("a") == []


async def test_a_text_goes_with_its_jobs_record(world: World) -> None:
    queue = world.queue(retention=Retention(result_seconds=60))
    await world.push(A)
    holder = await begin(queue, "a")
    await append(queue, holder.receipt, b"Once ", restart=True)
    await settle(queue, "ack", holder, "a")
    await world.advance(61)
    assert await queue.trim(10) == 1
    assert await world.text("a") == []


async def test_a_dead_job_that_is_dropped_takes_its_text_with_it(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A)
    holder = await begin(queue, "a")
    await append(queue, holder.receipt, b"Once ", restart=True)
    await settle(queue, "bury", holder, "a", body=b'{"kind":"boom","message":"it broke"}')
    assert await world.text("a") == [b"Once "]
    assert await control.drop("a")
    assert await world.text("a") == []
