"""Cursors: whatever place is written is read again, and nothing else is taken for one."""

import base64
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.adapters.redis.browse.cursor import Place, read, write
from edworkers.core.lifecycle import State

BY_INDEX = [State.DELAYED, State.DONE, State.DEAD, State.CANCELLED]
latin = st.text(st.characters(max_codepoint=255), max_size=60)
number = st.integers(0, 2**52 - 1)
places = st.one_of(
    st.tuples(st.just(State.PENDING), st.tuples(st.just("list"), number, number, number, latin, latin)),
    st.tuples(st.just(State.PENDING), st.tuples(st.just("lines"), latin)),
    st.tuples(st.just(State.INFLIGHT), st.tuples(st.just("receipt"), latin)),
    st.tuples(st.sampled_from(BY_INDEX), st.tuples(st.just("after"), st.just("1.5e+300"), latin)),
)


@given(places)
def test_a_place_is_read_as_it_was_written(given_place: tuple[State, Place]) -> None:
    state, place = given_place
    cursor = write(state, place)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)
    assert read(state, cursor) == place


@given(places, st.sampled_from(list(State)))
def test_a_place_in_one_list_is_none_in_another(given_place: tuple[State, Place], other: State) -> None:
    state, place = given_place
    if other is not state:
        with pytest.raises(ValueError, match=f"isn't one of the {other.value} jobs of this queue: begin without"):
            read(other, write(state, place))


@given(st.sampled_from(list(State)), st.text(max_size=80))
def test_no_other_text_is_a_cursor(state: State, text: str) -> None:
    with pytest.raises(ValueError, match="this cursor isn't one"):
        read(state, text)


def cursor_of(words: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(words).encode()).decode()


@pytest.mark.parametrize(
    "words",
    [
        *({}, [], None, 5, "pending", ["pending"], ["pending", "list"], ["pending", 5], ["pending", ["list"]]),
        ["pending", "list", -1, 0, 0, "", ""],
        ["pending", "list", 2**60, 0, 0, "", ""],
        ["pending", "list", 1.5, 0, 0, "", ""],
        ["pending", "list", True, 0, 0, "", ""],
        ["pending", "list", "1", 0, 0, "", ""],
        ["pending", "list", 0, 0, 0, "", "", "more"],
        ["pending", "lines", "\u0100"],
        ["pending", "after", "1", "a"],
    ],
)
def test_a_place_must_have_its_shape(words: object) -> None:
    with pytest.raises(ValueError, match="this cursor isn't one"):
        read(State.PENDING, cursor_of(words))


@pytest.mark.parametrize("score", ["", "x", "1 2", "(1", "+", "nan", "1e", "0x10", "1" * 50])
def test_a_place_by_score_must_have_one(score: str) -> None:
    with pytest.raises(ValueError, match="this cursor isn't one"):
        read(State.DEAD, cursor_of(["dead", "after", score, "a"]))


@pytest.mark.parametrize("score", ["1", "-1", "1796073261872", "3.5", "inf", "-inf", "1e+300", "1.5e-7"])
def test_scores_are_as_redis_writes_them(score: str) -> None:
    assert read(State.DEAD, cursor_of(["dead", "after", score, "a"])) == ("after", score, "a")
