"""Pages as pictures. They are compared with those in tests/golden/document; after a change that is meant:

UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/unit/test_pdf_thumbnails.py
"""

import os
from pathlib import Path

import pytest
from pikepdf import Array, Pdf
from tests.unit import pdf_files
from tests.unit.pdf_files import difference, picture_at

from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.pdf_thumbnails import thumbnails

LIMITS = Limits()
GOLDEN = Path(__file__).parents[1] / "golden" / "document"
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"


def test_a_page_looks_as_it_should(tmp_path: Path) -> None:
    source = pdf_files.written(tmp_path / "a.pdf", "Hello, school")
    drawn = thumbnails(source, tmp_path, limits=LIMITS, width=210)[1]
    golden = GOLDEN / "hello.png"
    if UPDATE:
        golden.write_bytes(drawn.read_bytes())
    found = picture_at(drawn)
    assert (found.format, found.mode, found.size) == ("PNG", "RGB", (210, 298))
    assert difference(picture_at(golden), found) < 1
    assert found.getpixel((60, 240)) == (51, 102, 204)
    assert found.getpixel((5, 5)) == (255, 255, 255)


def test_another_page_is_told_from_it(tmp_path: Path) -> None:
    source = pdf_files.written(tmp_path / "a.pdf", "Something else")
    found = picture_at(thumbnails(source, tmp_path, limits=LIMITS, width=210)[1])
    assert difference(picture_at(GOLDEN / "hello.png"), found) > 1


def test_the_pages_that_are_wanted_are_drawn_as_wide_as_asked(tmp_path: Path) -> None:
    source = pdf_files.written(tmp_path / "a.pdf", *"abcde")
    drawn = thumbnails(source, tmp_path, limits=LIMITS, width=100, pages=[(4, None), (2, 2)])
    assert drawn == {number: tmp_path / f"page-{number:04}.png" for number in (2, 4, 5)}
    assert {picture_at(path).size for path in drawn.values()} == {(100, 142)}
    assert list(thumbnails(source, tmp_path, limits=LIMITS)) == [1]
    with pytest.raises(UnusableDocumentError, match="none of those"):
        thumbnails(source, tmp_path, limits=LIMITS, pages=[(6, None)])


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((14_400, 14_400), (400, 400)),
        ((1e9, 1e9), (400, 400)),
        ((1e12, 1), (400, 600)),
        ((1, 14_400), (40, 16_384)),
        ((0, 0), (400, 600)),
        ((-50, 100), (400, 800)),
        ((1e-5, 1e-5), (400, 400)),
    ],
)
def test_a_page_of_an_absurd_size_becomes_no_absurd_picture(
    size: tuple[float, float], box: tuple[int, int], tmp_path: Path
) -> None:
    pdf = Pdf.new()
    pdf.add_blank_page().MediaBox = Array([0, 0, *size])
    source = pdf_files.save(pdf, tmp_path / "a.pdf")
    width, height = picture_at(thumbnails(source, tmp_path, limits=LIMITS, width=400)[1]).size
    assert 1 <= width <= box[0]
    assert 1 <= height <= box[1]


def test_no_picture_has_more_pixels_than_it_may(tmp_path: Path) -> None:
    source = pdf_files.written(tmp_path / "a.pdf")
    width, height = picture_at(thumbnails(source, tmp_path, limits=Limits(max_pixels=10_000), width=4000)[1]).size
    assert 9_000 < width * height < 10_500
