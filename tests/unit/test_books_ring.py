"""Samples in rings: what is written is read, what is made wider loses nothing that is counted."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.adapters.redis.books.ring import AT_MOST, RINGS, SAMPLE_BYTES, Ring, choose, read, together, widen, write
from edworkers.ports.books import Sample

NOW = 1_800_000_000_000
HOUR = 3_600_000
count = st.integers(0, 2**32 - 2)
some_ms = st.none() | st.integers(0, 2**32 - 2)
samples = st.builds(
    Sample,
    at=st.integers(NOW // 10_000, NOW // 10_000 + 5000).map(lambda step: step * 10_000),
    pending=count,
    inflight=count,
    delayed=count,
    dead=count,
    done=count,
    failed=count,
    arrived=count,
    latency_ms=some_ms,
    slow_ms=some_ms,
    ran_ms=some_ms,
    runners=count,
)
several = st.lists(samples, min_size=1, max_size=30, unique_by=lambda sample: sample.at).map(
    lambda found: sorted(found, key=lambda sample: sample.at)
)


@given(samples)
def test_a_sample_is_read_as_it_was_written(sample: Sample) -> None:
    data = write(sample)
    assert len(data) == SAMPLE_BYTES
    assert list(read(data, sample.at, sample.at)) == [sample]
    assert list(read(data, sample.at + 1, sample.at + 10_000)) == []


def test_what_is_too_much_or_below_nothing_is_cut_off() -> None:
    odd = Sample(NOW, 2**40, -1, 0, 0, 0, 0, 0, 2**33, None, -5, 0)
    assert list(read(write(odd), NOW, NOW)) == [Sample(NOW, 2**32 - 2, 0, 0, 0, 0, 0, 0, 2**32 - 2, None, 0, 0)]


@pytest.mark.parametrize("data", [b"", b"\0" * 10, b"\0" * SAMPLE_BYTES * 3])
def test_what_was_never_written_is_no_sample(data: bytes) -> None:
    assert list(read(data, 0, 2**60)) == []


@given(several)
def test_one_sample_of_several_has_the_sum_of_what_came_and_went_and_the_most_of_what_was_there(
    found: list[Sample],
) -> None:
    one = together(found, NOW)
    for name in ("done", "failed", "arrived"):
        assert getattr(one, name) == sum(getattr(sample, name) for sample in found)
    for name in ("pending", "inflight", "delayed", "dead", "runners"):
        assert getattr(one, name) == max(getattr(sample, name) for sample in found)
    for name in ("latency_ms", "slow_ms", "ran_ms"):
        known = [value for sample in found if (value := getattr(sample, name)) is not None]
        assert (getattr(one, name) is None) == (not known)
        assert not known or min(known) <= getattr(one, name) <= max(known)


def test_times_of_many_jobs_weigh_more_than_those_of_few() -> None:
    many = Sample(NOW, 0, 0, 0, 0, 90, 9, 99, 10, 20, 30, 1)
    one = Sample(NOW, 0, 0, 0, 0, 1, 0, 1, 1010, 1020, 1030, 1)
    assert together((many, one), NOW)[8:11] == (20, 30, 40)


@given(found=several, factor=st.integers(1, 100))
def test_wider_steps_lose_and_double_nothing(found: list[Sample], factor: int) -> None:
    step = factor * 10_000
    wide = widen(found, step)
    assert sum(sample.done for sample in wide) == sum(sample.done for sample in found)
    assert all(sample.at % step == 0 for sample in wide)
    assert all(first.at < second.at for first, second in pairwise(wide))
    assert {sample.at for sample in wide} == {sample.at - sample.at % step for sample in found}


@given(found=several)
def test_to_widen_twice_sums_as_to_widen_at_once(found: list[Sample]) -> None:
    for twice, once in zip(widen(widen(found, 60_000), 600_000), widen(found, 600_000), strict=True):
        assert twice[:8] == once[:8]


@pytest.mark.parametrize("ring", RINGS)
@given(at=st.integers(NOW, NOW + 10 * 86_400_000))
def test_a_time_has_a_place_in_its_ring_until_the_ring_is_round(ring: Ring, at: int) -> None:
    offset = ring.offset(at)
    assert 0 < offset <= ring.size - SAMPLE_BYTES
    assert ring.offset(ring.floor(at)) == offset
    assert ring.offset(at + ring.span_ms) == offset
    assert ring.offset(at + ring.step_ms) != offset


@pytest.mark.parametrize("ring", RINGS)
@given(since=st.integers(NOW, NOW + 10 * 86_400_000), steps=st.integers(0, 719))
def test_a_span_of_time_is_read_in_two_parts_at_most_and_each_sample_once(ring: Ring, since: int, steps: int) -> None:
    until = since + min(steps, ring.slots - 1) * ring.step_ms
    offsets = [offset for first, last in ring.parts(since, until) for offset in range(first, last + 1, SAMPLE_BYTES)]
    times = range(ring.floor(since), ring.floor(until) + 1, ring.step_ms)
    assert offsets == [ring.offset(at) for at in times]
    assert len(list(ring.parts(since, until))) <= 2


@pytest.mark.parametrize("finer", RINGS[:-1])
def test_the_samples_of_a_wider_step_lie_side_by_side_in_the_finer_ring(finer: Ring) -> None:
    wider = RINGS[RINGS.index(finer) + 1]
    assert wider.step_ms % finer.step_ms == 0
    assert finer.slots % (wider.step_ms // finer.step_ms) == 0


@pytest.mark.parametrize(
    ("hours", "ring", "step_seconds"),
    [
        (0.5, 10, 10),
        (1, 10, 10),
        (2, 10, 20),
        (3, 60, 60),
        (6, 60, 60),
        (24, 60, 240),
        (72, 600, 1200),
        (168, 600, 1800),
    ],
)
def test_the_finest_ring_is_read_that_goes_back_far_enough(hours: float, ring: int, step_seconds: int) -> None:
    choice = choose(NOW - round(hours * HOUR), NOW, NOW)
    assert (choice.ring.step_seconds, choice.step_ms) == (ring, step_seconds * 1000)


@given(since=st.integers(0, NOW + HOUR), until=st.integers(0, NOW + HOUR))
def test_there_are_never_more_samples_than_are_given_at_once(since: int, until: int) -> None:
    choice = choose(since, until, NOW)
    steps = (
        choice.until - choice.until % choice.step_ms - (choice.since - choice.since % choice.step_ms)
    ) / choice.step_ms
    assert steps + 1 <= AT_MOST
    assert choice.until <= NOW


def test_an_hour_of_days_ago_is_read_from_the_ring_that_still_has_it() -> None:
    choice = choose(NOW - 72 * HOUR, NOW - 71 * HOUR, NOW)
    assert (choice.ring.step_seconds, choice.step_ms) == (600, 600_000)
    assert (choice.since, choice.until) == (NOW - 72 * HOUR, NOW - 71 * HOUR)


def test_the_rings_of_a_queue_take_some_150_kilobytes() -> None:
    assert sum(ring.size for ring in RINGS) == 152_112
