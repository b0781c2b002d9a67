"""PDF files of strangers: each kind of fault is refused with its own reason, and what is sound is taken."""

import logging
import random
import re
import zlib
from pathlib import Path

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pikepdf import Array, Dictionary, Encryption, Name, Pdf, Stream
from tests.unit import pdf_files

from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.pdf_compress import compress
from edworkers.handlers.document.pdf_merge import merge
from edworkers.handlers.document.pdf_open import count_pages
from edworkers.handlers.document.pdf_text import extract_text
from edworkers.handlers.document.pdf_thumbnails import thumbnails

MIB = 1024 * 1024
LIMITS = Limits(max_bytes=5 * MIB, max_pages=20, max_pixels=1_000_000, max_unpacked_bytes=8 * MIB)
EVERYTHING = ["count", "merge", "compress", "text", "thumbnails"]


def run(name: str, source: Path, folder: Path) -> None:
    """Do one of the five things that are done with a PDF."""
    match name:
        case "count":
            count_pages(source, limits=LIMITS)
        case "merge":
            merge([source, source], folder / "out.pdf", limits=LIMITS)
        case "compress":
            compress(source, folder / "out.pdf", limits=LIMITS)
        case "text":
            extract_text(source, folder / "out.txt", limits=LIMITS)
        case _:
            thumbnails(source, folder, limits=LIMITS)


def file_of(content: bytes, folder: Path) -> Path:
    path = folder / "source.pdf"
    path.write_bytes(content)
    return path


def packed(content: bytes, times: int) -> bytes:
    for _ in range(times):
        content = zlib.compress(content, 9)
    return content


def with_stream(folder: Path, content: bytes, filters: Name | Array) -> Path:
    """A PDF whose page is drawn by a stream that is packed already."""
    pdf = pdf_files.new(["Bomb"])
    stream = Stream(pdf, b"")
    stream.write(content, filter=filters)
    pdf.pages[0].Contents = pdf.make_indirect(stream)
    return pdf_files.save(pdf, folder / "source.pdf", compress_streams=False)


def test_the_pages_of_a_sound_file_are_counted(tmp_path: Path) -> None:
    assert count_pages(pdf_files.written(tmp_path / "a.pdf", "One", "Two", "Three"), limits=LIMITS) == 3


@pytest.mark.parametrize("what", EVERYTHING)
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"Dear teacher,\n" * 20, "the file is not a PDF"),
        (b"PK\x03\x04" + bytes(500), "the file is not a PDF"),
        (b"%PDF-1.7\n" + bytes(range(256)) * 20, "the PDF is incomplete: its end is missing"),
        (b"%PDF-1.7\n" + bytes(500) + b"\n%%EOF", "the PDF is damaged"),
    ],
)
def test_what_is_no_pdf_or_only_looks_like_one_is_refused(what: str, content: bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableDocumentError, match=why) as caught:
        run(what, file_of(content, tmp_path), tmp_path)
    assert "source.pdf" not in caught.value.reason


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_half_a_file_is_refused_rather_than_mended_to_a_document_with_holes(part: float, tmp_path: Path) -> None:
    whole = pdf_files.written(tmp_path / "a.pdf", *["Text"] * 10).read_bytes()
    with pytest.raises(UnusableDocumentError, match="the PDF is incomplete: its end is missing"):
        count_pages(file_of(whole[: int(len(whole) * part)], tmp_path), limits=LIMITS)


def test_a_file_that_loses_nothing_by_its_damage_is_mended(tmp_path: Path) -> None:
    whole = pdf_files.written(tmp_path / "a.pdf", "One", "Two").read_bytes()
    damaged = re.sub(rb"startxref\n\d+", b"startxref\n7", whole)
    assert count_pages(file_of(damaged, tmp_path), limits=LIMITS) == 2


@pytest.mark.parametrize("what", EVERYTHING)
def test_a_file_that_can_be_read_only_with_a_password_is_refused(what: str, tmp_path: Path) -> None:
    locked = pdf_files.save(pdf_files.new(["Secret"]), tmp_path / "a.pdf", encryption=Encryption(user="u", owner="o"))
    with pytest.raises(UnusableDocumentError, match="the PDF needs a password to be opened"):
        run(what, locked, tmp_path)


@pytest.mark.parametrize("what", EVERYTHING)
def test_a_password_that_is_needed_only_to_change_a_file_is_no_hindrance(what: str, tmp_path: Path) -> None:
    locked = pdf_files.save(pdf_files.new(["Read me"]), tmp_path / "a.pdf", encryption=Encryption(user="", owner="o"))
    run(what, locked, tmp_path)
    for made in tmp_path.glob("out.pdf"):
        with pikepdf.open(made) as pdf:
            assert not pdf.is_encrypted


def test_a_file_without_pages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableDocumentError, match="the PDF has no pages"):
        count_pages(pdf_files.save(Pdf.new(), tmp_path / "a.pdf"), limits=LIMITS)


def test_too_many_pages_or_bytes_are_refused_with_the_numbers(tmp_path: Path) -> None:
    with pytest.raises(UnusableDocumentError, match="there are 21 pages, and the limit is 20"):
        count_pages(pdf_files.written(tmp_path / "a.pdf", *["x"] * 21), limits=LIMITS)
    large = file_of(random.Random(1).randbytes(5 * MIB + 1), tmp_path)
    with pytest.raises(UnusableDocumentError, match="there are more than 5,242,880 bytes, which is the limit"):
        count_pages(large, limits=LIMITS)


@pytest.mark.parametrize("what", EVERYTHING)
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_small_file_that_unpacks_to_very_much_is_refused_however_often_it_is_packed(
    what: str, times: int, tmp_path: Path
) -> None:
    filters = Array([Name.FlateDecode] * times)
    bomb = with_stream(tmp_path, packed(b" " * (9 * MIB), times), filters)
    assert bomb.stat().st_size < 20_000
    with pytest.raises(UnusableDocumentError, match="a part of the PDF unpacks to more than 8,388,608 bytes"):
        run(what, bomb, tmp_path)


def test_runs_of_one_byte_are_a_bomb_too(tmp_path: Path) -> None:
    runs = b"\x81 " * (9 * MIB // 128) + b"\x80"
    bomb = with_stream(tmp_path, packed(runs, 1), Array([Name.FlateDecode, Name.RunLengthDecode]))
    with pytest.raises(UnusableDocumentError, match="unpacks to more than"):
        count_pages(bomb, limits=LIMITS)


def test_many_parts_that_are_each_within_the_limit_are_a_bomb_together(tmp_path: Path) -> None:
    pdf = pdf_files.new(["Bomb"])
    part = zlib.compress(b" " * (7 * MIB), 9)
    parts = [Stream(pdf, b"") for _ in range(20)]
    for stream in parts:
        stream.write(part, filter=Name.FlateDecode)
    pdf.pages[0].Contents = Array([pdf.make_indirect(stream) for stream in parts])
    bomb = pdf_files.save(pdf, tmp_path / "a.pdf", compress_streams=False)
    with pytest.raises(UnusableDocumentError, match="the PDF unpacks to far more than a document holds"):
        count_pages(bomb, limits=LIMITS)


def test_objects_in_a_bomb_are_never_unpacked(tmp_path: Path) -> None:
    # Objects may lie in a stream themselves, which is unpacked as the file is opened.
    pdf = pdf_files.new(["Bomb"])
    pdf.Root.Padding = pdf.make_indirect(Dictionary(Text=b" " * (9 * MIB)))
    options = {"object_stream_mode": pikepdf.ObjectStreamMode.generate}
    bomb = pdf_files.save(pdf, tmp_path / "a.pdf", **options)
    assert bomb.stat().st_size < 200_000
    with pytest.raises(UnusableDocumentError):
        count_pages(bomb, limits=LIMITS)


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (2_000_000, 1)])
def test_a_picture_that_is_too_large_is_refused_before_it_is_unpacked(width: int, height: int, tmp_path: Path) -> None:
    source = pdf_files.with_picture(tmp_path / "a.pdf", (64, 64))
    with pikepdf.open(source, allow_overwriting_input=True) as pdf:
        pdf.pages[0].Resources.XObject.P1.stream_dict.Width = width
        pdf.pages[0].Resources.XObject.P1.stream_dict.Height = height
        pdf.save(source)
    with pytest.raises(UnusableDocumentError, match=f"a picture in the PDF is {width} by {height} pixels large"):
        count_pages(source, limits=LIMITS)


def test_a_picture_that_says_itself_that_it_is_larger_is_not_believed_to_be_small(tmp_path: Path) -> None:
    source = pdf_files.with_picture(tmp_path / "a.pdf", (64, 64))
    with pikepdf.open(source, allow_overwriting_input=True) as pdf:
        picture = pdf.pages[0].Resources.XObject.P1
        start = picture.read_raw_bytes().index(b"\xff\xc0") + 5  # where a JPEG says how high and how wide it is
        content = bytearray(picture.read_raw_bytes())
        content[start : start + 4] = (60_000).to_bytes(2, "big") * 2
        picture.write(bytes(content), filter=Name.DCTDecode)
        pdf.save(source)
    with pytest.raises(UnusableDocumentError, match="is 60000 by 60000 pixels large"):
        count_pages(source, limits=LIMITS)


def test_a_part_that_is_damaged_is_a_damaged_file(tmp_path: Path) -> None:
    broken = with_stream(tmp_path, zlib.compress(b"0 g " * 1000)[:20] + b"\xff" * 20, Name.FlateDecode)
    with pytest.raises(UnusableDocumentError, match="the PDF is damaged"):
        count_pages(broken, limits=LIMITS)


def test_the_limits_of_one_file_are_not_those_of_the_next(tmp_path: Path) -> None:
    before = pikepdf.settings.get_qpdf_limits()
    with pytest.raises(UnusableDocumentError):
        count_pages(with_stream(tmp_path, packed(b" " * (9 * MIB), 1), Name.FlateDecode), limits=LIMITS)
    assert pikepdf.settings.get_qpdf_limits() == before


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return pdf_files.active(tmp_path_factory.mktemp("sound") / "a.pdf").read_bytes()


@given(
    what=st.sampled_from(EVERYTHING),
    changes=st.lists(
        st.tuples(st.integers(0, 100_000), st.binary(max_size=6) | st.sampled_from([b"null", b"[", b"<<", b" 1 0 R "])),
        max_size=5,
    ),
)
def test_no_damage_does_worse_than_be_refused(
    what: str, changes: list[tuple[int, bytes]], sound: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    logging.getLogger("pikepdf").setLevel(logging.CRITICAL)
    content = bytearray(sound)
    for place, new in changes:
        start = place % len(content)
        content[start : start + len(new)] = new
    folder = tmp_path_factory.mktemp("damaged")
    try:
        run(what, file_of(bytes(content), folder), folder)
    except UnusableDocumentError as error:
        assert error.reason  # noqa: PT017 - a file that is sound in spite of its changes is fine as well
