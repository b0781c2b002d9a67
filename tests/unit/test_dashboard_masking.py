"""People see what a job is about, and nobody's address, name or secret unless they ask for it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.redact import Redactor
from edworkers.server.dashboard.masking import PREVIEW_CHARACTERS, Mask

MASK = Mask(Redactor(["schoolName"]))
PAYLOAD = {
    "id": "a",
    "data": {
        "userId": "u1",
        "email": "anna@school.example",
        "schoolName": "Lyceum",
        "note": "x",
        "about": "a@b.example",
    },
}


def test_a_preview_tells_the_data_in_one_line_without_what_is_personal() -> None:
    told = MASK.preview(json.dumps(PAYLOAD).encode())
    assert told.startswith("userId: u1, email: [redacted], schoolName: [redacted]")
    assert "anna" not in told
    assert "a@b.example" not in told


def test_a_preview_of_data_that_was_cut_anywhere_is_masked_all_the_same() -> None:
    whole = json.dumps(PAYLOAD).encode()
    for end in range(len(whole)):
        told = MASK.preview(whole[:end])
        assert "anna@school" not in told
        assert len(told) <= PREVIEW_CHARACTERS


@given(st.binary(max_size=400))
def test_a_preview_can_be_made_of_any_bytes(data: bytes) -> None:
    told = MASK.preview(data)
    assert len(told) <= PREVIEW_CHARACTERS
    assert "\n" not in told


def test_a_document_is_indented_and_masked_unless_it_is_revealed() -> None:
    data = json.dumps(PAYLOAD).encode()
    assert "anna" not in MASK.document(data).text
    revealed = MASK.document(data, reveal=True)
    assert json.loads(revealed.text) == PAYLOAD
    assert revealed.is_json
    assert not revealed.is_cut


def test_bytes_that_are_no_json_are_shown_as_text() -> None:
    shown = MASK.document(b"\xff not json, anna@school.example")
    assert shown.text == "\\xff not json, [email]"
    assert not shown.is_json


def test_a_very_long_document_says_that_it_is_cut() -> None:
    shown = MASK.document({"items": [["word"] * 100] * 199}, reveal=True)
    assert shown.is_json
    long = MASK.document({"text": "word " * 100_000}, reveal=True)
    assert long.is_cut
