"""What a runner holds in its hands after a claim: work that may begin, or the reason why it may not."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from edworkers.core.job import Entry, Job, write_entry
from edworkers.core.settings import MAX_PAYLOAD_BYTES, JobPolicy
from edworkers.core.verdict import Bury
from edworkers.pipeline.claim import Claimed, Handlers, read_delivery
from edworkers.ports import Delivery, Handle, Handler, JobContext, Start

NOW = 1_767_225_600_000  # 2026-01-01T00:00:00Z
LATER = "2026-01-01T00:01:00Z"
EARLIER = "2025-12-31T23:59:59.500Z"
POLICY = JobPolicy(max_deliveries=3)


class Greeting(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=5)
    style: Literal["plain", "fancy"] = "plain"

    @field_validator("name")
    @classmethod
    def _look_up(cls, name: str) -> str:
        return {"": "nobody"}[name] if name in {"", "crash"} else name


@asynccontextmanager
async def nothing_to_open(_env: Mapping[str, str]) -> AsyncGenerator[Handle]:
    async def greet(data: Greeting, _job: JobContext) -> str:
        return data.name

    yield greet


ANY: Handler[Greeting] = Handler(data=Greeting, open=nothing_to_open)
HELLO: Handler[Greeting] = Handler(data=Greeting, open=nothing_to_open, type="hello")
BYE: Handler[Greeting] = Handler(data=Greeting, open=nothing_to_open, type="bye")


def claim(raw: bytes, handlers: Handlers | None = None, *, oversize: int = 0) -> Claimed:
    return read_delivery(Delivery("r1", raw, oversize), handlers or {None: ANY}, POLICY, NOW)


def payload(**fields: Any) -> bytes:
    return json.dumps({"data": {"name": "Ada"}, **fields}).encode()


def entry(payload: bytes, **fields: int) -> bytes:
    return write_entry(Entry(payload, origin="o1", **fields))


def refusal(found: Claimed) -> dict[str, Any]:
    assert isinstance(found.refusal, Bury)
    assert found.handler is None
    assert found.data is None
    return found.refusal.error


def faults(found: Claimed) -> list[str]:
    error = refusal(found)
    assert error["kind"] == "rejected"
    assert error["message"] == "; ".join(error["faults"])
    named: list[str] = error["faults"]
    return named


# Work that may begin.


def test_a_job_that_fits_its_handler_may_begin() -> None:
    found = claim(payload(id="j1"))
    assert (found.refusal, found.put_off_until) == (None, 0)
    assert (found.handler, found.data) == (ANY, Greeting(name="Ada"))
    assert (found.receipt, found.origin, found.id, found.attempt) == ("r1", "r1", "j1", 1)


def test_a_job_without_an_id_is_known_by_the_receipt_of_its_first_delivery() -> None:
    assert claim(payload()).id == "r1"
    again = claim(entry(payload(), attempts=1))
    assert (again.id, again.origin, again.receipt) == ("o1", "o1", "r1")


@pytest.mark.parametrize(("attempts", "attempt"), [(0, 1), (1, 2), (7, 8)])
def test_the_attempt_is_one_more_than_have_failed(attempts: int, attempt: int) -> None:
    assert claim(entry(payload(), attempts=attempts)).attempt == attempt


def test_it_asks_to_begin_with_all_that_the_queue_has_to_know() -> None:
    found = claim(entry(payload(id="j1", type="hello", uniqueKey="user-7"), attempts=2), {"hello": HELLO})
    assert found.start() == Start("r1", "j1", "o1", 3, "user-7", "hello")
    assert claim(payload(id="j1")).start() == Start("r1", "j1", "r1", 1, "", "")
    assert claim(b"no job").start() == Start("r1", "r1", "r1", 1, "", "")


@pytest.mark.parametrize(("kind", "handler"), [("hello", HELLO), ("bye", BYE), ("other", ANY), (None, ANY)])
def test_the_type_chooses_the_handler_and_one_without_a_type_takes_the_rest(
    kind: str | None, handler: Handler[Any]
) -> None:
    fields = {} if kind is None else {"type": kind}
    assert claim(payload(**fields), {"hello": HELLO, "bye": BYE, None: ANY}).handler is handler


# Bytes that are no job.


def test_a_job_that_redis_did_not_hand_out_for_its_size_is_refused() -> None:
    found = claim(b"", oversize=2_000_000)
    assert faults(found) == [f"too large: 2000000 bytes, and {MAX_PAYLOAD_BYTES} are allowed"]
    assert (found.id, found.origin, found.entry, found.job) == ("r1", "r1", Entry(b""), None)


def test_a_payload_that_is_too_large_is_refused_and_one_just_small_enough_is_not() -> None:
    room = MAX_PAYLOAD_BYTES - len(payload())
    assert claim(payload() + b" " * room).refusal is None
    assert faults(claim(payload() + b" " * (room + 1))) == ["too large: 1048577 bytes, and 1048576 are allowed"]


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", "not JSON: "),
        (b"hello", "not JSON: "),
        (b"[1]", "must be a JSON object, not an array"),
        (b"\xff", "not JSON: not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"data":1}', "data: "),
        (b'{"data":{"name":"Ada"},"runat":1}', "runat: unknown; did you mean runAt?"),
        (b"\x1e1 2 3 \n{}", "not JSON: "),
    ],
)
def test_what_is_malformed_is_refused_with_its_bytes_kept(raw: bytes, fault: str) -> None:
    found = claim(raw)
    [told] = faults(found)
    assert told.startswith(fault)
    assert found.entry.payload == raw


def test_faults_of_the_envelope_and_of_the_data_are_named_together() -> None:
    raw = b'{"id":"j1","type":"bye","delay":"a","runat":1,"data":{"name":"Adelaide","more":1}}'
    found = claim(raw, {"hello": HELLO, "bye": BYE})
    assert [fault.partition(":")[0] for fault in faults(found)] == ["delay", "runat", "data.name", "data.more"]
    assert found.id == "j1"


@pytest.mark.parametrize("data", ['{"name":"crash"}', '{"name":"Ada"}', "[]", "null"])
def test_data_without_faults_that_can_be_told_adds_none_to_those_of_the_envelope(data: str) -> None:
    named = faults(claim(f'{{"runat":1,"data":{data}}}'.encode()))
    assert [fault for fault in named if fault.startswith("data.")] == []


def test_what_is_malformed_after_a_retry_keeps_where_it_came_from() -> None:
    found = claim(entry(b"nonsense", attempts=1))
    assert (found.id, found.origin, found.entry.payload) == ("o1", "o1", b"nonsense")
    assert faults(found)


def test_a_malformed_job_with_a_usable_id_is_known_by_it() -> None:
    assert claim(b'{"id":"j1","data":1}').id == "j1"


# Data that its handler can't take.


def test_every_fault_of_the_data_is_named_with_its_place() -> None:
    found = claim(json.dumps({"id": "j1", "data": {"name": "Grace Hopper", "style": "odd", "colour": 1}}).encode())
    assert [fault.partition(": ")[0] for fault in faults(found)] == ["data.name", "data.style", "data.colour"]
    assert found.id == "j1"


def test_a_type_that_the_queue_does_not_know_is_refused_and_those_it_knows_are_named() -> None:
    found = claim(payload(type="hallo"), {"hello": HELLO, "bye": BYE})
    assert faults(found) == ["type: 'hallo' is unknown; this queue knows bye, hello"]


def test_a_type_that_plays_tricks_on_a_terminal_is_shown_harmlessly() -> None:
    [fault] = faults(claim(payload(type="\x1b[2J\n"), {"hello": HELLO}))
    assert fault.isprintable()


def test_a_job_without_the_type_that_its_queue_needs_is_refused() -> None:
    assert faults(claim(payload(), {"hello": HELLO, "bye": BYE})) == ["type: missing; this queue knows bye, hello"]


def test_a_handlers_own_check_that_breaks_costs_the_job_and_not_the_runner() -> None:
    error = refusal(claim(b'{"id":"j1","data":{"name":"crash"}}'))
    assert error == {"kind": "check", "message": "the handler's check of the data failed: KeyError: 'crash'"}


# Times.


def test_a_job_that_expired_is_buried_and_how_late_it_is_told() -> None:
    error = refusal(claim(payload(expiresAt=EARLIER)))
    assert error == {"kind": "expired", "message": "expired 0.500 s before a runner was free for it"}


@pytest.mark.parametrize("moment", ["2026-01-01T00:00:00Z", LATER, "2026-01-01T05:45:00+05:45"])
def test_a_job_that_expires_now_or_later_may_begin(moment: str) -> None:
    assert claim(payload(expiresAt=moment)).refusal is None


def test_a_job_of_a_later_time_is_put_off_until_then() -> None:
    found = claim(payload(runAt=LATER))
    assert (found.refusal, found.put_off_until) == (None, NOW + 60_000)


@pytest.mark.parametrize("moment", [EARLIER, "2026-01-01T00:00:00Z"])
def test_a_job_whose_time_has_come_is_not_put_off(moment: str) -> None:
    assert claim(payload(runAt=moment)).put_off_until == 0


def test_a_job_that_was_put_off_once_runs_even_if_this_runners_clock_is_behind() -> None:
    found = claim(entry(payload(runAt=LATER), due=NOW + 60_000))
    assert (found.refusal, found.put_off_until) == (None, 0)
    assert found.handler is ANY


def test_a_delay_is_not_begun_anew_at_each_delivery() -> None:
    assert claim(payload(delay=60)).put_off_until == NOW + 60_000
    assert claim(entry(payload(delay=60), due=NOW - 1)).put_off_until == 0


def test_a_job_of_a_later_time_is_refused_at_once_where_it_could_never_run() -> None:
    assert faults(claim(b'{"data":{},"delay":60}')) == ["data.name: Field required"]


def test_a_job_that_would_expire_before_its_time_is_put_off_and_then_buried() -> None:
    raw = payload(runAt="2026-01-02T00:00:00Z", expiresAt=LATER)
    assert claim(raw).put_off_until
    found = read_delivery(Delivery("r2", entry(raw, due=1)), {None: ANY}, POLICY, NOW + 86_400_000)
    assert refusal(found)["kind"] == "expired"


# Jobs that end their runners.


@pytest.mark.parametrize(("deliveries", "buried"), [(0, False), (2, False), (3, True), (4, True)])
def test_a_job_that_lost_as_many_runners_as_allowed_is_a_poison_pill(deliveries: int, *, buried: bool) -> None:
    found = claim(entry(payload(id="j1"), deliveries=deliveries))
    assert (found.refusal is not None) == buried
    if buried:
        error = refusal(found)
        assert error["kind"] == "poison"
        assert f"poison pill: {deliveries} runners were lost" in error["message"]
        assert found.id == "j1"


def test_failed_attempts_are_no_lost_runners() -> None:
    assert claim(entry(payload(), attempts=99)).refusal is None


def test_an_expired_poison_pill_is_told_as_expired() -> None:
    assert refusal(claim(entry(payload(expiresAt=EARLIER), deliveries=9)))["kind"] == "expired"


def test_a_claimed_job_knows_the_key_that_is_its_own() -> None:
    assert claim(payload(uniqueKey="user-7")).unique_key == "user-7"
    assert claim(payload()).unique_key == ""
    assert claim(b"").unique_key == ""
    assert Claimed("r1", "o1", "j1", Entry(b""), Job("j1", {}, unique_key="k")).unique_key == "k"
