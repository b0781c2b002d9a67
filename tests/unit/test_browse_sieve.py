"""Which jobs are wanted: texts are found however a producer wrote them."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edworkers.adapters.redis.browse.sieve import Sieve
from edworkers.core.lifecycle import State
from edworkers.ports.browse import JobSummary, Wanted

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


@given(before=texts, text=texts, after=texts, is_ascii=st.booleans())
def test_a_text_is_found_in_json_as_any_producer_writes_it(
    before: str, text: str, after: str, *, is_ascii: bool
) -> None:
    raw = json.dumps({"data": {"prompt": before + text + after}}, ensure_ascii=is_ascii).encode()
    assert Sieve(Wanted(text=text)).has_text(raw)


@given(texts)
def test_case_makes_no_difference(text: str) -> None:
    # One in plain letters is looked for in plain letters: FF doesn't find the ligature that is written so in capitals.
    assume(text.isascii() == text.swapcase().isascii())
    raw = json.dumps({"text": text}, ensure_ascii=False).encode()
    assert Sieve(Wanted(text=text.swapcase())).has_text(raw) == (text.swapcase().casefold() in text.casefold())


@given(text=texts, raw=st.binary(max_size=60))
def test_what_redis_looks_for_stands_in_whatever_has_the_text(text: str, raw: bytes) -> None:
    sieve = Sieve(Wanted(text=text))
    if sieve.needles and sieve.has_text(raw) and b"\\u" not in raw:
        assert all(needle.encode() in raw.lower() for needle in sieve.needles)


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"\\u", b"\\ud800", b"\\ud83d\\ude00", b'{"a":"\\u00', b"\\uzzzz"])
def test_bytes_that_are_no_text_break_nothing(raw: bytes) -> None:
    assert not Sieve(Wanted(text="hélas")).has_text(raw)
    assert Sieve(Wanted()).has_text(raw)


def test_an_escaped_emoji_is_found() -> None:
    assert Sieve(Wanted(text="😀")).has_text(b'{"a":"\\ud83d\\ude00"}')


@pytest.mark.parametrize(
    ("wanted", "needles"),
    [
        (Wanted(), ()),
        (Wanted(text="Why?"), ("why?",)),
        (Wanted(text='a "b"'), ()),
        (Wanted(text="a<b"), ()),
        (Wanted(text="é"), ()),
        (Wanted(text="a", type="T", group="g", error_kind="k", fingerprint="f"), ("a", "t", "g", "k", "f")),
        (Wanted(group="0" * 64), ()),
    ],
)
def test_redis_looks_for_what_stands_in_a_jobs_bytes_as_it_is(wanted: Wanted, needles: tuple[str, ...]) -> None:
    assert Sieve(wanted).needles == needles


JOB = JobSummary("id-1", State.DEAD, type="T", group="G", at=5, error_kind="k", fingerprint="f")


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        (Wanted(), True),
        (Wanted(text="ID-1"), True),
        (Wanted(text="t"), True),
        (Wanted(text="g"), True),
        (Wanted(text="x"), False),
        (Wanted(type="T"), True),
        (Wanted(type="t"), False),
        (Wanted(group="G", type="T", error_kind="k", fingerprint="f", before=5, after=5), True),
        (Wanted(group="H"), False),
        (Wanted(error_kind="l"), False),
        (Wanted(fingerprint="g"), False),
        (Wanted(before=4), False),
        (Wanted(after=6), False),
        (Wanted(before=5), True),
    ],
)
def test_a_job_passes_if_all_that_is_wanted_holds(wanted: Wanted, *, passes: bool) -> None:
    sieve = Sieve(wanted)
    assert sieve.passes(JOB, has_text=sieve.has_text(b"")) is passes
