"""What is written for people and for programs."""

import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.cli.record import as_document, as_fields
from edworkers.cli.show import as_json_text, distance, local_time, print_fields, rfc3339, safe
from edworkers.cli.waiting import wait_for_end
from edworkers.core.lifecycle import State
from edworkers.ports import JobRecord

NOON = 1_769_860_800_000
STEERING = {*map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), *"\u202a\u202e\u2066\u2069\u2028"}


@given(st.text())
def test_no_text_can_steer_a_terminal(text: str) -> None:
    assert not STEERING & set(safe(text))
    assert not (STEERING - {"\n", "\t"}) & set(safe(text, lines=True))


@given(st.text(alphabet=st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))))
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert safe(text) == text


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_json_says_the_same_and_steers_nothing(document: object) -> None:
    text = as_json_text(document, io.StringIO())
    assert json.loads(text) == document
    assert not STEERING & set(text)


def test_json_has_null_for_what_json_can_not_write() -> None:
    assert as_json_text([float("nan"), float("inf")], io.StringIO()) == "[null,null]"


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(-1500, "1.5 s ago"), (-45_000, "45 s ago"), (300_000, "in 5 min"), (7_300_000, "in 2 h"), (-3e8, "3 d ago")],
)
def test_distances_are_told_in_the_largest_unit_that_fits(milliseconds: int, words: str) -> None:
    assert distance(milliseconds) == words


def test_times_for_programs_are_utc() -> None:
    assert rfc3339(NOON + 7) == "2026-01-31T12:00:00.007Z"
    assert rfc3339(None) is None


def test_times_for_people_say_how_long_ago_they_are() -> None:
    told = local_time(NOON, NOON + 300_000)
    assert told is not None
    assert told.endswith("(5 min ago)")


@pytest.mark.parametrize("milliseconds", [10**18, -(10**18)])
def test_times_beyond_the_calendar_are_no_crash(milliseconds: int) -> None:
    assert local_time(milliseconds, NOON) == f"{milliseconds} ms after 1970"
    assert rfc3339(milliseconds) is None


def test_fields_without_a_value_are_left_out_and_further_lines_indented(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"a": "1", "bcd": None, "e": "x\ny\x1b"})
    assert capsys.readouterr().out == "a    1\ne    x\n     y\\x1b\n"


def test_a_record_of_which_little_is_known_is_told_all_the_same() -> None:
    record = JobRecord("j", "ai", State.PENDING, progress={}, error={})
    assert as_document(record)["queuedAt"] is None
    assert as_fields(record, NOON)["error"] == "error: "


class Finds:
    """What a queue says of a job, call after call."""

    def __init__(self, *records: JobRecord | None) -> None:
        self._records: Iterator[JobRecord | None] = iter(records)

    async def __call__(self) -> JobRecord | None:
        return next(self._records)


PENDING, DONE = JobRecord("j", "ai", State.PENDING), JobRecord("j", "ai", State.DONE)


async def test_waiting_goes_on_from_unknown_to_the_end_and_shows_each_state() -> None:
    shown: list[JobRecord] = []
    assert await wait_for_end(Finds(None, PENDING, DONE), None, shown.append) is DONE
    assert shown == [PENDING, DONE]


async def test_waiting_ends_when_the_record_is_gone() -> None:
    assert await wait_for_end(Finds(PENDING, None), None, lambda _record: None) is None


async def test_waiting_for_no_time_looks_once() -> None:
    assert await wait_for_end(Finds(PENDING), 0, lambda _record: None) is PENDING
