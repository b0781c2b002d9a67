"""Whose job it is, and which limits are counted together."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from edworkers.core.job import Entry, Job, group_of, grouped, write_entry
from edworkers.core.limits import limiters
from edworkers.core.settings import Window


def window(name: str, **more: Any) -> Window:
    return Window.model_validate({"name": name, "limit": 5, "window": "day", **more})


@pytest.mark.parametrize(
    ("document", "by", "group"),
    [
        ({"data": {}, "group": "a"}, None, "a"),
        ({"data": {"userId": "b"}, "group": "a"}, "userId", "a"),
        ({"data": {"userId": "b"}}, "userId", "b"),
        ({"userId": "b"}, "userId", "b"),
        ({"userId": 7}, "userId", "7"),
        ({"userId": "b"}, None, ""),
        ({"userId": "b"}, "other", ""),
        ({"userId": ""}, "userId", ""),
        ({"userId": None}, "userId", ""),
        ({"group": "a"}, None, ""),
        ({"data": {}, "group": "a\nb"}, None, ""),
        ({"data": {}, "group": 7}, None, ""),
        ({"data": [], "group": "a"}, None, ""),
    ],
)
def test_a_group_is_the_envelopes_or_else_what_a_field_of_the_data_says(
    document: dict[str, Any], by: str | None, group: str
) -> None:
    assert group_of(to_json(document), by) == group


@pytest.mark.parametrize("value", ["x" * 129, "a\x00b", True, 1.5, ["a"], {"a": 1}])
def test_what_can_name_no_group_makes_one_of_its_own(value: Any) -> None:
    found = group_of(to_json({"userId": value}), "userId")
    assert len(found) == 64
    assert found == group_of(to_json({"data": {"userId": value, "more": 1}}), "userId")
    assert found != group_of(to_json({"userId": [value]}), "userId")


def test_the_group_of_a_job_that_was_touched_before_is_the_same() -> None:
    raw = write_entry(Entry(to_json({"data": {}, "group": "a"}), deliveries=2, attempts=1, origin="r.1.1"))
    assert group_of(raw, None) == "a"


@given(st.binary(max_size=60), st.sampled_from([None, "a"]))
def test_whatever_lies_in_the_list_has_a_group_or_none(raw: bytes, by: str | None) -> None:
    assert isinstance(group_of(raw, by), str)


@given(st.dictionaries(st.sampled_from(["userId", "x"]), st.text() | st.integers() | st.none()), st.text(max_size=3))
def test_a_group_that_is_read_can_stand_in_a_line(data: dict[str, Any], group: str) -> None:
    found = group_of(to_json({"data": data, "group": group}), "userId")
    assert len(found) <= 128
    assert not any(ord(letter) < 32 for letter in found)


def test_a_job_with_a_group_of_its_own_keeps_it() -> None:
    job = Job("id", {"userId": "b"}, group="a")
    assert grouped(job, "userId") is job


def test_limits_that_count_the_same_for_the_same_are_counted_together() -> None:
    jobs, burst = window("day"), window("burst", window="minute")
    tokens = window("tokens", counts="tokens")
    mine, ours = window("mine", per="group"), window("ours", per="group", counts="tokens")
    found = limiters("ai", [mine, jobs, ours, tokens, burst])
    assert [(limited.name, limited.windows) for limited in found] == [
        ("ai", (jobs, burst)),
        ("ai:tokens", (tokens,)),
        ("ai:group", (mine,)),
        ("ai:group-tokens", (ours,)),
    ]


def test_a_limiter_for_groups_is_named_for_each_of_them() -> None:
    of_queue, of_groups = limiters("ai", [window("day"), window("mine", per="group")])
    assert (of_queue.of("u1"), of_groups.of("u1"), of_groups.of("u2")) == ("ai", "ai:group:u1", "ai:group:u2")


def test_without_limits_there_is_no_limiter() -> None:
    assert limiters("ai", []) == []
