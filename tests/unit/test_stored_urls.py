"""The URLs of stored objects: which are taken, and what they mean."""

import contextlib
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from edworkers.adapters.storage.places import FilePlace, S3Place, place_of, prefix_of
from edworkers.handlers.stored import StoredUrl

SEGMENTS = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="/"), min_size=1, max_size=20
).filter(lambda segment: segment not in {".", ".."})
NAMES = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)


class Data(BaseModel):
    source: StoredUrl


@given(NAMES)
def test_every_plain_name_has_a_url_that_means_it_again(name: str) -> None:
    file = FilePlace(PurePosixPath(f"/{name}"))
    assert place_of(file.url) == file
    s3 = S3Place("school", name)
    assert place_of(s3.url) == s3
    assert s3.url == f"s3://school/{name}"


@given(st.one_of(st.text(), st.text().map("s3://school/{}".format), st.text().map("file:///{}".format)))
def test_no_text_does_worse_than_be_refused_and_no_name_leads_up(url: str) -> None:
    with contextlib.suppress(ValueError):
        place = place_of(url)
        name = place.key if isinstance(place, S3Place) else str(place.path).removeprefix("/")
        assert all(part not in {"", ".", ".."} for part in name.split("/"))


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://school/a.pdf", S3Place("school", "a.pdf")),
        ("s3://school/class 5/größe.pdf", S3Place("school", "class 5/größe.pdf")),
        ("s3://school/100%25.pdf", S3Place("school", "100%25.pdf")),
        ("s3://school/a?b#c", S3Place("school", "a?b#c")),
        ("file:///data/class%205/gr%C3%B6%C3%9Fe.pdf", FilePlace(PurePosixPath("/data/class 5/größe.pdf"))),
        ("file:///data/class 5/größe.pdf", FilePlace(PurePosixPath("/data/class 5/größe.pdf"))),
        ("file:///data/100%25.pdf", FilePlace(PurePosixPath("/data/100%.pdf"))),
    ],
)
def test_a_key_is_taken_as_it_stands_and_a_files_name_is_decoded_once(url: str, place: object) -> None:
    assert place_of(url) == place


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "s3://bucket/key or file:///folder/name"),
        ("/data/a.pdf", "s3://bucket/key or file:///folder/name"),
        ("https://school.example/a.pdf", "s3://bucket/key or file:///folder/name"),
        ("S3://school/a.pdf", "s3://bucket/key or file:///folder/name"),
        ("s3://school", "name one object"),
        ("s3://school/", "name one object"),
        ("s3://school/folder/", "name one object"),
        ("s3:///a.pdf", "name of a bucket"),
        ("s3://key:secret@school/a.pdf", "name of a bucket"),
        ("s3://School/a.pdf", "name of a bucket"),
        ("s3://school:9000/a.pdf", "name of a bucket"),
        ("s3://school//a.pdf", "nothing at all"),
        ("s3://school/a//b.pdf", "nothing at all"),
        ("s3://school/../a.pdf", ". or .."),
        ("s3://school/a/./b.pdf", ". or .."),
        ("s3://school/a\nb", "control characters"),
        ("s3://school/" + "ß" * 513, "1024 bytes"),
        ("file://host/data/a.pdf", "three slashes"),
        ("file:data/a.pdf", "s3://bucket/key or file:///folder/name"),
        ("file:///", "name one object"),
        ("file:///data/", "name one object"),
        ("file:////data/a.pdf", "nothing at all"),
        ("file:///data/../etc/passwd", ". or .."),
        ("file:///data/%2e%2e/etc/passwd", ". or .."),
        ("file:///data/%2E./etc/passwd", ". or .."),
        ("file:///data/..%2fetc/passwd", "%2F"),
        ("file:///data/a%00.pdf", "control characters"),
        ("file:///data/a%0A.pdf", "control characters"),
        ("file:///data/a%zz.pdf", "hexadecimal"),
        ("file:///data/a%", "hexadecimal"),
        ("file:///data/%ff.pdf", "UTF-8"),
        ("file:///data/a.pdf?page=1", "%3F"),
        ("file:///data/a.pdf#2", "%3F"),
        ("file:///data/" + "a" * 256, "255 bytes"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_in_words(url: str, why: str) -> None:
    with pytest.raises(ValueError, match="must ") as caught:
        place_of(url)
    assert why in str(caught.value)


def test_a_double_encoding_stays_one() -> None:
    assert place_of("file:///data/%252e%252e/a") == FilePlace(PurePosixPath("/data/%2e%2e/a"))


def test_a_folder_may_end_with_a_slash_and_a_bucket_is_one() -> None:
    assert prefix_of("s3://school") == S3Place("school", "")
    assert prefix_of("s3://school/class/") == S3Place("school", "class/")
    assert prefix_of("file:///data/") == FilePlace(PurePosixPath("/data"))


def test_a_job_with_such_an_address_is_taken_and_one_without_is_told_why_not() -> None:
    assert Data.model_validate({"source": "s3://school/a.pdf"}).source == "s3://school/a.pdf"
    with pytest.raises(ValidationError, match=r"must be s3://bucket/key or file:///folder/name"):
        Data.model_validate({"source": "ftp://school/a.pdf"})
    with pytest.raises(ValidationError, match="at most 2048"):
        Data.model_validate({"source": "s3://school/" + "a/" * 2000})


def test_the_schema_says_what_such_an_address_begins_with() -> None:
    assert TypeAdapter(StoredUrl).json_schema() == {
        "type": "string",
        "maxLength": 2048,
        "pattern": "^(s3://[^/]+/|file:///)",
    }
