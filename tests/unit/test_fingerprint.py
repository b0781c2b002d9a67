"""Failures of one cause have one fingerprint, whatever differs from job to job."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.fingerprint import cause, fingerprint, mask

words = st.text(st.sampled_from("abcdefghij"), min_size=1, max_size=8)
numbers = st.integers(0, 10**12).map(str)
digests = st.binary(min_size=8, max_size=20).map(bytes.hex).filter(lambda text: len(text) >= 16)
quoted = st.tuples(st.sampled_from(["'{}'", '"{}"', "`{}`"]), words).map(lambda pair: pair[0].format(pair[1]))
mails = st.builds("{}@{}.example".format, words, words)
paths = st.lists(words, max_size=3).map("/".join)
differing = st.one_of(
    numbers,
    st.floats(0, 1e6).map("{:.3f}".format),
    digests,
    st.uuids().map(str),
    quoted,
    mails,
    st.integers(0, 2**32).map("{:#x}".format),
    st.integers(0, 2**32 - 1).map(lambda n: f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"),
    st.ip_addresses(v=6).map(str),
)
templates = st.lists(st.none() | words, min_size=1, max_size=8)


def fill(template: list[str | None], parts: st.DataObject) -> str:
    return " ".join(parts.draw(differing) if word is None else word for word in template)


@given(template=templates, parts=st.data())
def test_what_differs_from_job_to_job_does_not_tell_failures_apart(
    template: list[str | None], parts: st.DataObject
) -> None:
    one, other = ({"kind": "x", "message": fill(template, parts)} for _ in range(2))
    assert fingerprint(one) == fingerprint(other)


@given(text=st.text(max_size=200), more=differing)
def test_what_is_masked_stays_as_it_is(text: str, more: str) -> None:
    masked = mask(f"{text} {more}")
    assert mask(masked) == masked


@given(error=st.dictionaries(st.sampled_from(["kind", "message", "traceback"]), st.text(max_size=300)))
def test_a_fingerprint_is_twelve_hexadecimal_digits(error: dict[str, str]) -> None:
    assert re.fullmatch("[0-9a-f]{12}", fingerprint(error))


@given(one=words, other=words, kind=words)
def test_other_words_are_another_cause(one: str, other: str, kind: str) -> None:
    same = fingerprint({"kind": kind, "message": one}) == fingerprint({"kind": kind, "message": other})
    assert same == (one == other)


def test_another_kind_is_another_cause() -> None:
    assert fingerprint({"kind": "a", "message": "m"}) != fingerprint({"kind": "b", "message": "m"})


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("https://api.example/v1/users/7?key=x answered 503", "https://api.example/* answered *"),
        ("https://me:secret@api.example:8443/x refused", "https://* refused"),
        ("https://api.example refused", "https://api.example/* refused"),
        ("no mailbox ann.lee@school.example", "no mailbox *"),
        ("can't open 'a b.docx' or \"c\"", "can't open * or *"),
        ("rows 1, 2, 3 and 4 are locked", "rows * and * are locked"),
        ("job_7f3a-b: timed out after 30.5s", "*: timed out after *"),
        ("object at 0x7f33d0", "object at *"),
        ("fe80::1 is unreachable", "* is unreachable"),
        ("a: b: c", "a: b: c"),
        ("it's what we don't know", "it's what we don't know"),
        ("broke\n  in   two", "broke in two"),
    ],
)
def test_a_message_keeps_its_words(message: str, masked: str) -> None:
    assert mask(message) == masked


def trace(*frames: tuple[str, int, str]) -> str:
    lines = "".join(f'  File "{file}", line {line}, in {function}\n    code\n' for file, line, function in frames)
    return f"Traceback (most recent call last):\n{lines}ValueError: it broke\n"


def traced(*frames: tuple[str, int, str]) -> str:
    return fingerprint({"kind": "ValueError", "message": "it broke", "traceback": trace(*frames)})


OWN = ("/app/shop/orders.py", 10, "pay")
LIBRARY = ("/usr/lib/python3.12/json/decoder.py", 337, "decode")


def test_a_line_that_moved_is_the_same_cause() -> None:
    assert traced(OWN) == traced(("/app/shop/orders.py", 99, "pay"))


def test_another_function_is_another_cause() -> None:
    assert traced(OWN) != traced(("/app/shop/orders.py", 10, "refund"))


@pytest.mark.parametrize(
    "file",
    [
        "/usr/lib/python3.12/asyncio/tasks.py",
        "/app/.venv/lib64/python3.11/site-packages/httpx/_client.py",
        "/usr/lib/python3/dist-packages/redis/client.py",
        "/app/edworkers/pipeline/handle.py",
        "/app/edworkers/ports/plain.py",
        "<frozen importlib._bootstrap>",
    ],
)
def test_frames_of_libraries_do_not_count(file: str) -> None:
    assert traced((file, 1, "run"), OWN, (file, 2, "call")) == traced(OWN)


def test_handlers_that_come_with_edworkers_count_where_it_is_installed_as_a_library() -> None:
    lib = "/usr/lib/python3.12/site-packages/edworkers/handlers"
    assert traced((f"{lib}/ai/generate.py", 1, "ask")) != traced((f"{lib}/ai/generate.py", 1, "answer"))


def test_where_the_code_lies_does_not_matter() -> None:
    assert traced(OWN) == traced(("/home/ann/src/shop/orders.py", 10, "pay"))


def test_only_the_innermost_frames_count() -> None:
    inner = [("/app/shop/a.py", 1, "a"), ("/app/shop/b.py", 1, "b"), OWN]
    assert traced(("/app/shop/main.py", 1, "main"), *inner) == traced(*inner)


def test_faults_are_one_cause_in_whatever_order_and_however_often() -> None:
    def rejected(*faults: str) -> str:
        return fingerprint({"kind": "rejected", "message": "; ".join(faults), "faults": list(faults)})

    one = rejected("data.items.0.name: missing", "data.to: not a mail address")
    assert one == rejected("data.to: not a mail address", "data.items.7.name: missing", "data.items.8.name: missing")
    assert one != rejected("data.to: not a mail address")


def test_half_of_a_surrogate_pair_has_a_fingerprint() -> None:
    assert fingerprint({"kind": "x", "message": "\ud800"})


def test_a_cause_is_shown_in_at_most_500_characters() -> None:
    shown = cause({"kind": "k" * 20, "message": "m" * 1000, "traceback": "t"})
    assert shown == {"kind": "k" * 20, "message": "m" * 480}


def test_a_long_message_takes_no_long_time_to_mask() -> None:
    for text in (
        "a" * 10**6,
        "'" * 10**6,
        "a@" * 10**6,
        "https://" * 10**5,
        "0x:" * 10**6,
        str(uuid.UUID(int=1)) * 10**5,
    ):
        assert len(mask(text)) <= 2100
