"""What is kept of a handler's log: whole lines, the latest, in bounds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.job_log import LONGEST_MESSAGE, MOST_BYTES, MOST_LINES, JobLog, add_logs, check_level

messages = st.one_of(st.text(max_size=700), st.just('","},{"at":1,"level":"x'), st.just("é\ud800\x00" * 300))


def written(said: list[str]) -> bytes:
    job_log = JobLog()
    for at, message in enumerate(said):
        job_log.add(at, "info", message)
    return job_log.write()


@given(said=st.lists(messages, max_size=150))
def test_the_latest_lines_are_kept_whole(said: list[str]) -> None:
    text = written(said)
    assert len(text) <= MOST_BYTES
    kept = json.loads(text or b"[]")
    assert len(kept) <= MOST_LINES
    assert [line["at"] for line in kept] == list(range(len(said)))[len(said) - len(kept) :]
    assert bool(kept) == bool(said)
    assert all(line["level"] == "info" for line in kept)


@given(first=st.lists(messages, max_size=150), then=st.lists(messages, min_size=1, max_size=150))
def test_logs_of_attempts_are_joined_and_the_latest_kept_whole(first: list[str], then: list[str]) -> None:
    before, logs = written(first), written(then)
    both = add_logs(before, logs)
    assert len(both) <= MOST_BYTES
    lines = [*json.loads(before or b"[]"), *json.loads(logs)]
    kept = json.loads(both)
    assert kept == lines[len(lines) - len(kept) :]
    assert len(kept) >= len(json.loads(logs))


def test_a_message_is_kept_as_it_was_said() -> None:
    assert json.loads(written(['"é"\n'])) == [{"at": 0, "level": "info", "message": '"é"\n'}]


def test_a_long_message_is_cut_visibly() -> None:
    (line,) = json.loads(written(["x" * (LONGEST_MESSAGE + 1)]))
    assert line["message"] == "x" * (LONGEST_MESSAGE - 1) + "…"


def test_nothing_logged_is_nothing_kept() -> None:
    assert written([]) == b""


def test_a_level_that_is_none_is_told_with_those_that_are() -> None:
    check_level("warning")
    with pytest.raises(ValueError, match="one of debug, info, warning, error, not 'loud'"):
        check_level("loud")


def test_of_more_than_is_kept_the_oldest_lines_go_also_where_attempts_are_joined() -> None:
    whole = "x" * LONGEST_MESSAGE
    one = written([whole] * MOST_LINES)
    assert MOST_BYTES - 2 * LONGEST_MESSAGE < len(one) <= MOST_BYTES
    joined = add_logs(one, written([whole, "last"]))
    assert len(joined) <= MOST_BYTES
    kept = json.loads(joined)
    assert kept[-1]["message"] == "last"
    assert kept[0]["at"] > json.loads(one)[0]["at"]
