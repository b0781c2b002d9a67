"""How a deleted pool that is to drain goes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from edworkers_operator.drain import FINALIZER, Drain, drain_of, is_deleted, with_finalizer
from edworkers_operator.queue_reading import QueueReading, Unreadable

ASKED = datetime(2026, 5, 1, 12, tzinfo=UTC)
DELETED: dict[str, Any] = {"metadata": {"name": "ai", "deletionTimestamp": "2026-05-01T12:00:00Z"}}
EMPTY = QueueReading(pending=0, inflight=0, delayed=0, dead=7)


def after(seconds: float, reading: object) -> Drain:
    return drain_of(DELETED, reading, ASKED + timedelta(seconds=seconds), 60, has_runners=True)


def test_a_pool_with_a_time_of_deletion_is_deleted() -> None:
    assert is_deleted(DELETED)
    assert not is_deleted({"metadata": {"name": "ai"}})


@pytest.mark.parametrize(
    ("there", "wanted", "then"),
    [
        (None, True, [FINALIZER]),
        (["others/one"], True, ["others/one", FINALIZER]),
        (["others/one", FINALIZER], False, ["others/one"]),
        (["others/one", FINALIZER], True, None),
        (["others/one"], False, None),
        (None, False, None),
    ],
)
def test_the_finalizer_comes_and_goes_beside_those_of_others(
    there: list[str] | None, *, wanted: bool, then: list[str] | None
) -> None:
    metadata = {} if there is None else {"finalizers": there}
    assert with_finalizer({"metadata": metadata}, wanted=wanted) == then


def test_dead_letters_hold_no_pool_back() -> None:
    assert after(1, EMPTY) == Drain(is_over=True, is_empty=True, message="the queue is empty")


@pytest.mark.parametrize("place", ["pending", "inflight", "delayed"])
def test_a_job_anywhere_else_holds_it_back_until_the_time_is_up(place: str) -> None:
    reading = replace(EMPTY, **{place: 1})  # type: ignore[arg-type]
    assert not after(59.9, reading).is_over
    over = after(60, reading)
    assert over.is_over
    assert not over.is_empty
    assert "after 60 s" in over.message


@pytest.mark.parametrize("reading", [None, Unreadable("Redis can't be used: no route")])
def test_a_queue_that_was_not_counted_is_not_taken_for_an_empty_one(reading: object) -> None:
    assert not after(1, reading).is_over
    assert after(61, reading) == after(61, None)


def test_it_does_not_wait_for_runners_that_are_gone_with_their_namespace() -> None:
    state = drain_of(DELETED, QueueReading(4, 0, 0, 0), ASKED, 60, has_runners=False)
    assert (state.is_over, state.is_empty) == (True, False)
    assert "stays in Redis" in state.message
