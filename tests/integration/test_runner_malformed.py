"""Bytes that are no job: dead letters at once, with every fault named and the bytes as they came."""

from typing import Any

import pytest
from pydantic_core import to_json
from tests.integration.processes import Programs, Queue, eventually

from edworkers.core.lifecycle import State

pytestmark = pytest.mark.timeout(60)

CASES: list[tuple[bytes, list[str]]] = [
    (b"hello", ["not JSON"]),
    (b"", ["not JSON"]),
    (b'{"id":"cut', ["not JSON"]),
    (b"[1,2]", ["must be a JSON object, not an array"]),
    (b"null", ["must be a JSON object, not null"]),
    (b"[" * 100_000 + b"]" * 100_000, ["nested too deeply"]),
    (b'{"data":' * 5000 + b"1" + b"}" * 5000, ["nested too deeply"]),
    (b'{"data":{"do":"\xff\xfe"}}', ["not UTF-8, byte 0xff"]),
    (b"\x00\x01\x02", ["not JSON"]),
    (b'{"data":{"do":"a\x00b"}}', ["not JSON"]),
    (b'\xef\xbb\xbf{"data":{}}', ["byte order mark"]),
    (b"\x1e3 x", ["not JSON"]),
    (b"\x1e!12345", ["not JSON"]),
    (b"\x1e!" + b"9" * 6000, ["not JSON"]),
    (b"\x1e99999999999999999999 0 0 x\n{}", ["not JSON"]),
    (to_json({"data": {"do": "x" * (1024 * 1024)}}), ["too large: 1048594 bytes, and 1048576 are allowed"]),
    (b" " * (3 * 512 * 1024), ["too large: 1572864 bytes"]),
    (to_json({"id": 7, "data": [], "maxAttempts": 0, "runAt": "soon"}), ["id: ", "data: ", "maxAttempts: ", "runAt: "]),
    (to_json({"id": "a b", "data": {}}), ["id: "]),
    (
        to_json({"data": {"do": "dance", "seconds": "many", "extra": 1}}),
        ["data.do: ", "data.seconds: ", "data.extra: "],
    ),
    (to_json({"seconds": []}), ["data.seconds: "]),
    (to_json({"runat": "2026-01-31T09:00:00Z", "data": {}}), ["did you mean runAt?"]),
    (to_json({"delay": float("1e300"), "data": {}}), ["delay: "]),
]


async def test_malformed_bytes_of_every_kind_are_buried_as_they_came_and_the_runner_carries_on(
    programs: Programs, queue: Queue
) -> None:
    runner = await programs.runner(programs.manifest(concurrency=4))
    await queue.push(*(payload for payload, _ in CASES), {"id": "good", "data": {"do": "succeed"}})
    await queue.becomes("good", State.DONE)
    await runner.says("job.buried", times=len(CASES))
    await eventually(queue.is_empty)

    dead = {record.payload: record for record in await queue.control.dead(0, 100)}
    assert len(dead) == len({payload for payload, _ in CASES})
    for payload, faults in CASES:
        record = dead[payload]
        error: dict[str, Any] = record.error or {}
        assert error["kind"] == "rejected"
        for fault in faults:
            assert any(fault in named for named in error["faults"]), (payload[:50], error)
        assert record.attempts == 0
    assert (await queue.depths()).inflight == 0
    assert not runner.seen("lease.lost")


async def test_a_malformed_job_can_be_replayed_and_is_buried_again_as_it_came(programs: Programs, queue: Queue) -> None:
    await programs.runner(programs.manifest())
    await queue.push(b'{"data":{"do":"\xff"}}')
    await queue.push({"id": "good", "data": {}})
    await queue.becomes("good", State.DONE)
    await eventually(queue.is_empty)
    (dead,) = await queue.control.dead(0, 10)
    assert await queue.control.replay(dead.id)
    again = await queue.becomes(dead.id, State.DEAD)
    assert again.payload == b'{"data":{"do":"\xff"}}'


async def test_another_type_of_key_in_the_lists_place_ends_the_runner_with_the_reason(
    programs: Programs, queue: Queue
) -> None:
    await queue.client.set(queue.key("pending"), "not a list")
    runner = await programs.start("run", "work", "--pool", str(programs.manifest()))
    assert await runner.ended() != 0
    assert "WRONGTYPE" in runner.text
