"""A producer hears at once what a runner would find later."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from edworkers.core.errors import InvalidJobError
from edworkers.core.job import Entry, Job, decode, write_entry
from edworkers.core.settings import JobPolicy
from edworkers.pipeline.claim import Handlers
from edworkers.pipeline.enqueue import envelope, prepare
from edworkers.ports import Enqueue, Handle, Handler, JobContext

NOW = 1_767_225_600_000  # 2026-01-01T00:00:00Z


class Greeting(BaseModel):
    name: str


@asynccontextmanager
async def nothing_to_open(_env: Mapping[str, str]) -> AsyncGenerator[Handle]:
    async def greet(data: Greeting, _job: JobContext) -> str:
        return data.name

    yield greet


HANDLERS: Handlers = {None: Handler(data=Greeting, open=nothing_to_open)}


def made(payload: bytes, **more: Any) -> Enqueue:
    return prepare(payload, HANDLERS, JobPolicy(), new_id="new", now=NOW, **more)


def faults(payload: bytes) -> tuple[str, ...]:
    with pytest.raises(InvalidJobError, match=r"^this is no job for the queue:\n") as refused:
        made(payload)
    return refused.value.faults


@pytest.mark.parametrize(
    ("payload", "job"),
    [
        (b'{"name":"Ada"}', Enqueue("new", b'{"name":"Ada"}')),
        (b'{"data":{"name":"Ada"}}', Enqueue("new", b'{"data":{"name":"Ada"}}')),
        (b' {"data":{"name":"Ada"},"id":"j1"}', Enqueue("j1", b' {"data":{"name":"Ada"},"id":"j1"}')),
    ],
)
def test_a_job_is_enqueued_byte_for_byte_under_its_id_or_a_new_one(payload: bytes, job: Enqueue) -> None:
    assert made(payload) == job


def test_what_the_queue_has_to_know_of_a_job_is_told() -> None:
    payload = envelope({"name": "Ada"}, id="j1", uniqueKey="user-7", delay=90)
    assert made(payload, urgent=True) == Enqueue("j1", payload, "user-7", urgent=True, due=NOW + 90_000)


def test_a_time_that_has_passed_is_no_time_to_wait_for() -> None:
    assert made(envelope({"name": "Ada"}, runAt="2025-01-01T00:00:00Z")).due == 0


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (b"hello", ["not JSON"]),
        (b"[]", ["must be a JSON object, not an array"]),
        (b'{"data":{}}', ["data.name"]),
        (b'{"data":{"name":1},"id":"j1"}', ["data.name"]),
        (b'{"data":1,"id":"a b","delay":-1,"runat":1}', ["data", "id", "delay", "runat"]),
        (
            b'{"data":{"name":"Ada"},"expiresAt":"2025-12-31T23:59:59Z"}',
            ["expired 1.000 s before a runner was free for it"],
        ),
    ],
)
def test_every_fault_is_told_at_once(payload: bytes, found: list[str]) -> None:
    assert [fault.partition(": ")[0] for fault in faults(payload)] == found


@pytest.mark.parametrize("deliveries", [0, 99])
def test_a_producer_cannot_write_the_queues_own_header(deliveries: int) -> None:
    forged = write_entry(Entry(b'{"name":"Ada"}', deliveries=deliveries, attempts=5, origin="x"))
    [fault] = faults(forged)
    assert fault.startswith("not JSON: ")


def test_an_envelope_has_the_fields_that_were_given() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    written = envelope({"name": "Ada"}, id="j1", type=None, runAt=moment, group=None, maxAttempts=2)
    assert json.loads(written) == {
        "id": "j1",
        "runAt": "2026-01-01T00:00:00Z",
        "maxAttempts": 2,
        "data": {"name": "Ada"},
    }
    assert decode(written, "new", NOW) == Job("j1", {"name": "Ada"}, run_at=NOW, max_attempts=2)


@given(
    st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5))
)
def test_data_in_an_envelope_is_read_as_it_was_written(data: dict[str, Any]) -> None:
    assert decode(envelope(data), "new", NOW) == Job("new", data)
