"""The text of a PDF."""

from pathlib import Path

import pytest
from pikepdf import Dictionary, Name
from tests.unit import pdf_files

from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.pdf_text import Text, extract_text

LIMITS = Limits()


def test_pages_have_a_form_feed_between_them(tmp_path: Path) -> None:
    source, out = pdf_files.written(tmp_path / "a.pdf", "One", "", "Three"), tmp_path / "a.txt"
    assert extract_text(source, out, limits=LIMITS) == Text(pages=3, characters=8, bytes=13)
    assert out.read_bytes() == b"One\n\f\n\fThree\n"


def test_only_the_pages_that_are_wanted_are_read(tmp_path: Path) -> None:
    source, out = pdf_files.written(tmp_path / "a.pdf", "One", "Two", "Three"), tmp_path / "a.txt"
    assert extract_text(source, out, limits=LIMITS, pages=[(2, None)]).pages == 2
    assert out.read_bytes() == b"Two\n\fThree\n"


def test_letters_of_all_kinds_are_utf_8(tmp_path: Path) -> None:
    pdf = pdf_files.new([""])
    omega = b"1 begincodespacerange <00> <FF> endcodespacerange 1 beginbfchar <81> <03A9> endbfchar"
    pdf.pages[0].Resources.Font.F1 = Dictionary(
        Type=Name.Font,
        Subtype=Name.Type1,
        BaseFont=Name.Helvetica,
        Encoding=Name.WinAnsiEncoding,
        ToUnicode=pdf.make_stream(omega),
    )
    text = "Grüße, Zoë's “office” ".encode("cp1252") + b"\x81mega"
    pdf.pages[0].Contents = pdf.make_stream(b"BT /F1 12 Tf 40 480 Td (" + text + b") Tj ET")
    source = pdf_files.save(pdf, tmp_path / "a.pdf")
    extract_text(source, tmp_path / "a.txt", limits=LIMITS)
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "Grüße, Zoë's “office” Ωmega\n"


def test_a_document_of_pictures_has_no_text(tmp_path: Path) -> None:
    source = pdf_files.written(tmp_path / "a.pdf", "")
    assert extract_text(source, tmp_path / "a.txt", limits=LIMITS).characters == 0


def test_too_much_text_is_refused(tmp_path: Path) -> None:
    pdf = pdf_files.new(["x"])
    pdf.pages[0].Contents = pdf.make_stream(b"BT /F1 4 Tf 5 590 Td" + b" (many words) Tj 0 -4 Td" * 140 + b" ET")
    source = pdf_files.save(pdf, tmp_path / "a.pdf")
    size = source.stat().st_size
    extract_text(source, tmp_path / "a.txt", limits=LIMITS)
    assert (tmp_path / "a.txt").stat().st_size > size
    with pytest.raises(UnusableDocumentError, match="the text is longer than"):
        extract_text(source, tmp_path / "a.txt", limits=Limits(max_bytes=size))
