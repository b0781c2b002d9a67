"""What is said of a job's bytes without decoding them: whether it surely names no id, key or type."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.job import Entry, Job, decode, is_anonymous, write_entry

_names = st.sampled_from(["id", "uniqueKey", "type", "data", "specversion", "Id", "idx", "name", "\u0131d"])
_texts = st.sampled_from(["a", "id", '"id"', "\\u0069d", "type", "ü"]) | st.text(max_size=5)
_values = st.recursive(
    st.none() | st.integers() | _texts, lambda inner: st.dictionaries(_names | _texts, inner), max_leaves=5
)
_jobs = st.dictionaries(_names, _values)


def _escaped(name: str) -> str:
    """Write a text so that JSON needs escapes for all of it."""
    return "".join(f"\\u{ord(letter):04x}" for letter in name if ord(letter) < 0x10000)


@given(job=_jobs, ascii_only=st.booleans(), escapes=st.booleans())
def test_what_is_anonymous_names_neither_id_nor_key_nor_type(
    *, job: dict[str, Any], ascii_only: bool, escapes: bool
) -> None:
    raw = json.dumps(job, ensure_ascii=ascii_only)
    if escapes:
        raw = raw.replace('"id"', f'"{_escaped("id")}"').replace('"type"', f'"{_escaped("type")}"')
    if is_anonymous(raw.encode(errors="surrogatepass")):
        read = decode(raw.encode(errors="surrogatepass"), "receipt", 0)
        assert read.id == "receipt"
        assert read.type is None
        assert not isinstance(read, Job) or read.unique_key is None


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b'{"data": {"text": "an id"}}',
        b'{"group": "g", "runAt": "2026-01-01T00:00:00Z", "data": {}}',
        b"\xff",
        b"",
    ],
)
def test_these_are(raw: bytes) -> None:
    assert is_anonymous(raw)


@pytest.mark.parametrize(
    "raw", [b'{"id":1}', b'{"data":{"type":1}}', b'{"uniqueKey":"k"}', b'{"a":"\\u0041"}', b"\x1e"]
)
def test_these_may_be_known_by_what_they_name(raw: bytes) -> None:
    assert not is_anonymous(raw)


def test_one_that_the_queue_has_touched_is_known() -> None:
    assert not is_anonymous(write_entry(Entry(b"{}", origin="r.1")))


def test_a_long_one_is_not_looked_through() -> None:
    assert is_anonymous(b" " * 16_384)
    assert not is_anonymous(b" " * 16_385)
