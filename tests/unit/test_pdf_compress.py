"""A PDF in fewer bytes, which looks the same."""

from pathlib import Path
from typing import Any

import pikepdf
import pytest
from PIL import Image
from tests.unit import pdf_files
from tests.unit.pdf_files import difference, picture_at

from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.pdf_compress import compress
from edworkers.handlers.document.pdf_text import extract_text
from edworkers.handlers.document.pdf_thumbnails import thumbnails

LIMITS = Limits()


def drawn(path: Path) -> Image.Image:
    folder = path.with_suffix("")
    folder.mkdir()
    return picture_at(thumbnails(path, folder, limits=LIMITS, width=300)[1])


def picture(path: Path) -> tuple[Any, ...]:
    with pikepdf.open(path) as pdf:
        found = pdf.pages[0].Resources.XObject.P1
        return int(found.Width), int(found.Height), str(found.Filter), str(found.ColorSpace)


@pytest.mark.parametrize("jpeg", [True, False])
def test_a_large_picture_becomes_a_smaller_jpeg_that_looks_the_same(jpeg: bool, tmp_path: Path) -> None:  # noqa: FBT001
    source = pdf_files.with_picture(tmp_path / "a.pdf", (2400, 1200), jpeg=jpeg)
    out = tmp_path / "out.pdf"
    made = compress(source, out, limits=LIMITS, longest_edge=1000)
    assert made.pages == 1
    assert made.bytes == out.stat().st_size
    assert made.bytes < source.stat().st_size / 2
    assert picture(out) == (1000, 500, "/DCTDecode", "/DeviceRGB")
    assert difference(drawn(source), drawn(out)) < 6


@pytest.mark.parametrize(
    "entries",
    [
        {"Decode": pikepdf.Array([1, 0, 1, 0, 1, 0])},
        {"Mask": pikepdf.Array([0, 0, 0, 0, 0, 0])},
        {"ColorSpace": pikepdf.Name.DeviceCMYK},
        {"BitsPerComponent": 4},
    ],
)
def test_a_picture_whose_values_mean_something_else_stays_as_it_is(entries: dict[str, Any], tmp_path: Path) -> None:
    source = pdf_files.with_picture(tmp_path / "a.pdf", (800, 400))
    with pikepdf.open(source, allow_overwriting_input=True) as pdf:
        pdf.pages[0].Resources.XObject.P1.stream_dict.update(pikepdf.Dictionary(**entries))
        pdf.save(source)
    before = picture(source)
    compress(source, tmp_path / "out.pdf", limits=LIMITS, longest_edge=100)
    assert picture(tmp_path / "out.pdf") == before


def test_a_picture_that_is_small_enough_stays_as_it_is(tmp_path: Path) -> None:
    source = pdf_files.with_picture(tmp_path / "a.pdf", (800, 400))
    compress(source, tmp_path / "out.pdf", limits=LIMITS)
    assert picture(tmp_path / "out.pdf") == picture(source)
    assert difference(drawn(source), drawn(tmp_path / "out.pdf")) == 0


def test_what_is_not_packed_is_packed(tmp_path: Path) -> None:
    pdf = pdf_files.new(["Text"])
    pdf.pages[0].Contents = pdf.make_stream(b"0 0 1 rg 10 10 20 20 re f\n" * 2000)
    source = pdf_files.save(pdf, tmp_path / "a.pdf", compress_streams=False)
    assert compress(source, tmp_path / "out.pdf", limits=LIMITS).bytes < source.stat().st_size / 10


def test_what_can_not_be_made_smaller_is_kept_byte_for_byte(tmp_path: Path) -> None:
    source = pdf_files.with_picture(tmp_path / "a.pdf", (400, 200))
    once, twice = tmp_path / "once.pdf", tmp_path / "twice.pdf"
    compress(source, once, limits=LIMITS)
    compress(once, twice, limits=LIMITS)
    assert twice.read_bytes() == once.read_bytes()
    assert once.stat().st_size <= source.stat().st_size


def test_scripts_are_not_kept_by_keeping_the_source(tmp_path: Path) -> None:
    pdf = pdf_files.new(["Act"])
    pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="x")
    source = pdf_files.save(pdf, tmp_path / "a.pdf", object_stream_mode=pikepdf.ObjectStreamMode.generate)
    compress(source, tmp_path / "out.pdf", limits=LIMITS)
    with pikepdf.open(tmp_path / "out.pdf") as made:
        assert "/OpenAction" not in made.Root


def test_the_text_is_the_same_after_it(tmp_path: Path) -> None:
    source = pdf_files.written(tmp_path / "a.pdf", "One", "Two")
    compress(source, tmp_path / "out.pdf", limits=LIMITS)
    for path in (source, tmp_path / "out.pdf"):
        extract_text(path, path.with_suffix(".txt"), limits=LIMITS)
    assert (tmp_path / "a.txt").read_bytes() == (tmp_path / "out.txt").read_bytes()
