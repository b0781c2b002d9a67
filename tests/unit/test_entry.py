"""The header that the queue puts before a job's bytes."""

import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edworkers.core.job import Entry, read_entry, write_entry

PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F))

PAYLOADS = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=50).map(lambda rest: b"\x1e" + rest),
    st.binary(max_size=50).map(lambda rest: b"\x1e1 2 3 origin\n" + rest),
)
ENTRIES = st.builds(
    Entry,
    payload=PAYLOADS,
    deliveries=st.integers(0, 999_999_999),
    attempts=st.integers(0, 999_999_999),
    due=st.integers(0, 999_999_999_999_999),
    origin=st.text(PRINTABLE, min_size=1, max_size=128),
)
ALMOST_HEADERS = st.text(string.digits + " \n\x1e+-_.a", max_size=30).map(lambda text: b"\x1e" + text.encode())


@given(ENTRIES)
@example(Entry(b"\x1e1 1 1 x\n{}", 1, 1, 1, "y"))
@example(Entry(b"", 0, 0, 0, "y"))
def test_an_entry_is_read_as_it_was_written_whatever_its_payload(entry: Entry) -> None:
    assert read_entry(write_entry(entry)) == entry


@given(PAYLOADS)
def test_a_header_leaves_the_payload_byte_for_byte(payload: bytes) -> None:
    assert write_entry(Entry(payload, 1, 2, 3, "receipt.1")) == b"\x1e1 2 3 receipt.1\n" + payload


@given(st.one_of(st.binary(max_size=60), ALMOST_HEADERS, PAYLOADS))
def test_reading_takes_any_bytes_and_settles_after_one_round(raw: bytes) -> None:
    entry = read_entry(raw)
    assert raw.endswith(entry.payload)
    assert read_entry(write_entry(entry)) == entry


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"data":{}}', b" {}", b"\x00", b"1 2 3 x\n{}"])
def test_bytes_without_a_header_are_a_job_that_nobody_touched(payload: bytes) -> None:
    assert read_entry(payload) == Entry(payload, deliveries=0, attempts=0, due=0, origin="")
    assert write_entry(Entry(payload)) == payload


@pytest.mark.parametrize(
    "raw",
    [
        b"\x1e",
        b"\x1e{}",
        b"\x1e1 2 3 \n{}",
        b"\x1e1 2 3 x{}",
        b"\x1e1 2 x\n{}",
        b"\x1e-1 2 3 x\n{}",
        b"\x1e1 2 3.5 x\n{}",
        b"\x1e1  2 3 x\n{}",
        b"\x1e1 2 3 x y\n{}",
        b"\x1e1 2 3 \xc3\xa9\n{}",
        b"\x1e1 2 3 x\r\n{}",
        b"\x1e1 2 9999999999999999 x\n{}",
        "\x1e\u0661 2 3 x\n{}".encode(),
        b"\x1e1 2 3 " + b"x" * 129 + b"\n{}",
    ],
)
def test_what_only_resembles_a_header_belongs_to_the_payload(raw: bytes) -> None:
    assert read_entry(raw) == Entry(raw)
    assert write_entry(read_entry(raw)) == raw


def test_a_header_cannot_begin_a_json_text() -> None:
    assert re.match(rb'[\x20\x09\x0a\x0d{\["0-9tfn-]', write_entry(Entry(b"{}", origin="x"))) is None
