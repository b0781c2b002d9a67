"""What receivers' answers come to."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.outcome import Done, Failed
from edworkers.handlers.webhook.answer import LONGEST_WAIT_SECONDS, judge_answer, one_line, retry_after_seconds

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def judged(status: int, body: bytes = b"", **headers: str) -> Done | Failed:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return judge_answer(status, named, body, host="school.example", seconds=0.123456, now=NOW)


def failure(status: int, body: bytes = b"", **headers: str) -> Failed:
    outcome = judged(status, body, **headers)
    assert isinstance(outcome, Failed)
    return outcome


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226, 299])
def test_every_2xx_is_done_with_the_beginning_of_the_answer(status: int) -> None:
    assert judged(status, b"thanks \xff", retry_after="60") == Done(
        {"status": status, "body": "thanks \ufffd", "seconds": 0.123}
    )


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 399])
def test_a_redirect_is_buried_and_tells_where_it_led(status: int) -> None:
    failed = failure(status, location="https://other.example/\r\nhooks")
    assert (failed.kind, failed.retryable) == ("redirect", False)
    assert "a redirect to https://other.example/ hooks: " in failed.message


def test_a_redirect_to_nowhere_is_one_too() -> None:
    assert "a redirect to nowhere" in failure(304).message


def test_gone_is_buried() -> None:
    failed = failure(410, b"moved away", retry_after="5")
    assert (failed.kind, failed.retryable) == ("gone", False)
    assert failed.message == "school.example answered 410 Gone: moved away"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422, 429, 451, 499, 500, 502, 503, 504, 599, 999])
def test_every_other_status_is_tried_again(status: int) -> None:
    failed = failure(status)
    assert (failed.kind, failed.retryable, failed.after_seconds) == ("status", True, None)
    assert failed.message.startswith(f"school.example answered {status}")


def test_a_receiver_that_asks_to_wait_is_obeyed() -> None:
    assert failure(503, retry_after="120").after_seconds == 120
    assert failure(429, retry_after=format_datetime(NOW + timedelta(seconds=90), usegmt=True)).after_seconds == 90


def test_what_a_receiver_says_is_told_on_one_short_line() -> None:
    failed = failure(500, b"Traceback:\n  \x1b[31mline 1\r\n" + b"x" * 4000)
    assert "\n" not in failed.message
    assert "\x1b" not in failed.message
    assert failed.message.startswith("school.example answered 500 Internal Server Error: Traceback: [31mline 1 xxx")
    assert len(failed.message) < 600


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 7 ", 7),
        ("3600", 3600),
        ("3601", LONGEST_WAIT_SECONDS),
        ("9" * 5000, LONGEST_WAIT_SECONDS),
        ("Sat, 31 Jan 2026 12:01:00 GMT", 60),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 0),
        ("Sat, 31 Jan 2026 12:01:00 -0000", 60),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT_SECONDS),
        ("Saturday, 31-Jan-26 12:01:00 GMT", 60),
    ],
)
def test_a_time_to_wait_is_seconds_or_a_date_and_at_most_an_hour(value: str, seconds: float) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@pytest.mark.parametrize("value", [None, "", "-5", "1.5", "soon", "٣", "inf", "Sat, 99 Jan 2026 12:01:00 GMT", "1,2"])
def test_a_time_to_wait_that_is_none_is_as_if_it_were_not_there(value: str | None) -> None:
    assert retry_after_seconds(value, NOW) is None


@given(st.text(max_size=40) | st.from_regex(r"\w{3}, \d{1,2} \w{3} \d{1,6} [\d:]{0,9} [\w+-]{0,6}", fullmatch=True))
def test_any_text_whatever_is_a_time_to_wait_or_none(value: str) -> None:
    seconds = retry_after_seconds(value, NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_WAIT_SECONDS


@given(st.integers(100, 999), st.binary(max_size=100), st.dictionaries(st.sampled_from(["location"]), st.text()))
def test_any_answer_whatever_comes_to_something(status: int, body: bytes, headers: dict[str, Any]) -> None:
    outcome = judge_answer(status, headers, body, host="h", seconds=1, now=NOW)
    assert isinstance(outcome, Done) == (200 <= status < 300)


@given(st.text())
def test_one_line_is_one_printable_line(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= 501


@pytest.mark.parametrize("status", [302, 404, 410, 429, 500])
def test_what_a_receiver_said_is_kept_with_the_failure(status: int) -> None:
    assert failure(status, b"<h1>\xff no</h1>\n").answer == "<h1>\ufffd no</h1>\n"


@pytest.mark.parametrize(
    ("status", "down"),
    [(301, False), (400, False), (404, False), (410, False), (429, True), (500, True), (503, True), (599, True)],
)
def test_only_a_receiver_that_is_down_or_busy_counts_towards_opening_its_circuit(status: int, down: bool) -> None:  # noqa: FBT001
    assert failure(status).service_down is down
