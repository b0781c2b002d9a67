"""The `document` handler with the real LibreOffice: what it makes is looked at.

After a change of the golden picture that is meant, write it anew with UPDATE_GOLDEN=1, and look at it.
"""

import hashlib
import os
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from PIL import Image, ImageChops, ImageStat
from tests.integration import documents
from tests.integration.document_desk import Desk
from tests.servers.storage import S3Server

from edworkers.adapters.libreoffice import convert
from edworkers.adapters.storage import open_store
from edworkers.core.outcome import Failed

pytestmark = pytest.mark.timeout(120)

GOLDEN = Path(__file__).parents[1] / "golden" / "document"
BIG_AND_BOLD = '<w:b/><w:sz w:val="56"/>'
SHADED_TABLE = (
    '<w:tbl><w:tblPr><w:tblW w:w="8000" w:type="dxa"/></w:tblPr>'
    '<w:tblGrid><w:gridCol w:w="8000"/></w:tblGrid><w:tr><w:tc>'
    '<w:tcPr><w:tcW w:w="8000" w:type="dxa"/><w:shd w:val="clear" w:fill="203864"/></w:tcPr>'
    f"{documents.paragraph('Ada Lovelace', style=BIG_AND_BOLD)}</w:tc></w:tr></w:tbl>"
)
REPORT = documents.package(
    documents.docx_parts(
        documents.paragraph("Report of grades", style=BIG_AND_BOLD),
        documents.paragraph("Äpfel und Öl, naïve façade, Ελληνικά, кириллица"),
        SHADED_TABLE,
        *(documents.paragraph("The quick brown fox jumps over the lazy dog. " * 6) for _ in range(4)),
        documents.PAGE_BREAK,
        documents.paragraph("The second page"),
    )
)


async def test_a_docx_becomes_a_pdf_with_its_pages_text_and_fonts(desk: Desk) -> None:
    found = await desk.convert("report.docx", REPORT, "pdf")
    made = desk.result("pdf").read_bytes()
    assert found.pop("seconds") > 0
    assert found == {
        "kind": "docx",
        "pages": 2,
        "url": desk.storage.url("result.pdf"),
        "bytes": len(made),
        "sha256": hashlib.sha256(made).hexdigest(),
    }
    first, second = desk.text()
    assert first.startswith(
        "Report of grades Äpfel und Öl, naïve façade, Ελληνικά, кириллица Ada Lovelace The quick brown"
    )
    assert second == "The second page"
    assert fonts_of(desk.result("pdf")) == {True}


def fonts_of(path: Path) -> set[bool]:
    """Whether the fonts of a PDF are embedded."""
    with pikepdf.open(path) as pdf:
        descriptors = [item for item in pdf.objects if isinstance(item, pikepdf.Dictionary) and "/FontName" in item]
        assert descriptors
        return {any(name in item for name in ("/FontFile", "/FontFile2", "/FontFile3")) for item in descriptors}


async def test_the_page_looks_as_it_should(desk: Desk) -> None:
    await desk.convert("report.docx", REPORT, "png", pages="1", width=420)
    drawn = opened(desk.storage.path / "pictures" / "page-0001.png")
    path = GOLDEN / "report-page-1.png"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        drawn.save(path, optimize=True)
    golden = opened(path)
    assert drawn.size == golden.size == (420, 594)
    blank = Image.new("RGB", golden.size, "white")
    assert difference(drawn, golden) < 0.3 * difference(blank, golden)


def opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    """How far two pictures are from each other; letters that are a little wider or further right count for little."""
    small = (one.width // 12, one.height // 12)
    apart = ImageChops.difference(one.resize(small), other.resize(small))
    return sum(ImageStat.Stat(apart).mean)


@pytest.mark.parametrize(
    ("name", "content", "pages"),
    [
        ("a.odt", documents.odt("Hello", "Ada"), ["Hello Ada"]),
        ("a.pptx", documents.pptx("One", "Two"), ["One", "Two"]),
        ("a.odp", documents.odp("One", "Two", "Three"), ["One", "Two", "Three"]),
        ("a.xlsx", documents.xlsx([["Name", "Grade"], ["Ada", 1.5]]), ["Name Grade Ada 1.5"]),
        ("a.rtf", documents.rtf("Hello Ada"), ["Hello Ada"]),
        ("a.html", "<!DOCTYPE html><h1>Héllo</h1><p>Ada", ["Héllo Ada"]),
        ("a.md", "# Héllo\n\n| a | b |\n|-|-|\n| *Ada* | 2 |\n", ["Héllo a b Ada 2"]),
    ],
)
async def test_each_kind_becomes_a_pdf(desk: Desk, name: str, content: bytes | str, pages: list[str]) -> None:
    found = await desk.convert(name, content, "pdf")
    assert (found["kind"], found["pages"]) == (name.partition(".")[2], len(pages))
    assert desk.text() == pages
    assert fonts_of(desk.result("pdf")) == {True}


async def test_a_spreadsheet_of_open_document_becomes_a_pdf(desk: Desk) -> None:
    assert (await desk.convert("a.ods", documents.ods([["Ada", "Grace"]]), "pdf"))["kind"] == "ods"
    assert "Ada Grace" in desk.text()[0]  # and what LibreOffice writes at the head and foot of a page


@pytest.mark.parametrize(
    ("kind", "export", "content", "text"),
    [
        ("doc", "MS Word 97", documents.docx("Old words"), "Old words"),
        ("xls", "MS Excel 97", documents.xlsx([["Old sheet"]]), "Old sheet"),
        ("ppt", "MS PowerPoint 97", documents.pptx("Old slide"), "Old slide"),
    ],
)
async def test_what_office_wrote_before_2007_becomes_a_pdf(
    desk: Desk, tmp_path: Path, kind: str, export: str, content: bytes, text: str
) -> None:
    assert (await desk.convert(f"old.{kind}", await old(tmp_path, content, kind, export), "pdf"))["kind"] == kind
    assert text in desk.text()[0]


async def old(folder: Path, content: bytes, kind: str, export: str) -> bytes:
    """Have LibreOffice write a document in a format of before 2007."""
    workshop = folder / "workshop"
    workshop.mkdir()
    source = workshop / f"source.{kind}x"
    source.write_bytes(content)
    return (await convert(os.environ, source, workshop, kind, export)).read_bytes()


async def test_a_text_becomes_docx_which_word_can_open(desk: Desk) -> None:
    found = await desk.convert("a.odt", documents.odt("Hello", "Ada"), "docx")
    assert (found["kind"], found["pages"]) == ("odt", None)
    again = await desk.convert("again.docx", desk.result("docx").read_bytes(), "pdf")
    assert (again["kind"], desk.text()) == ("docx", ["Hello Ada"])


async def test_a_text_becomes_html_in_one_file(desk: Desk) -> None:
    await desk.convert("a.docx", documents.docx("Hello Ada"), "html")
    assert "Hello Ada" in desk.result("html").read_text()
    assert {path.name for path in desk.storage.path.iterdir()} == {"a.docx", "result.html"}


async def test_a_spreadsheet_becomes_html(desk: Desk) -> None:
    await desk.convert("a.xlsx", documents.xlsx([["Ada", 1.5]]), "html")
    assert "Ada" in desk.result("html").read_text()


async def test_markdown_becomes_html_in_which_no_script_can_run(desk: Desk) -> None:
    await desk.convert("a&b.md", "# Hi\n<script>alert(1)</script> [x](javascript:alert(1))", "html")
    html = desk.result("html").read_text()
    assert "<title>a&amp;b.md</title>" in html
    assert "<h1>Hi</h1>" in html
    assert ("<script" in html, "href" in html) == (False, False)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.docx", documents.docx("Grüße", "Ada")),
        ("a.pptx", documents.pptx("Grüße\nAda")),
        ("a.html", "<html><p>Grüße<p>Ada"),
    ],
)
async def test_text_is_taken_out(desk: Desk, name: str, content: bytes | str) -> None:
    await desk.convert(name, content, "txt")
    assert desk.result("txt").read_text(encoding="utf-8-sig").split() == ["Grüße", "Ada"]


async def test_pages_become_pictures_of_the_width_that_was_asked_for(desk: Desk) -> None:
    found = await desk.convert("a.pptx", documents.pptx("One", "Two", "Three"), "png", width=200, pages="2-")
    assert found["urls"] == [desk.storage.url("pictures/page-0002.png"), desk.storage.url("pictures/page-0003.png")]
    for number in (2, 3):
        with Image.open(desk.storage.path / "pictures" / f"page-000{number}.png") as picture:
            assert (picture.format, picture.size) == ("PNG", (200, 150))
    assert (found["pages"], len(found["sha256"])) == (2, 2)


async def test_a_pdf_gets_smaller(desk: Desk) -> None:
    large = documents.pdf(pages=3) + b"%" + b"x" * 100_000 + b"\n%%EOF\n"
    found = await desk.convert("a.pdf", large, "pdf")
    assert (found["kind"], found["pages"]) == ("pdf", 3)
    assert found["bytes"] < 10_000


async def test_only_some_pages_are_kept(desk: Desk) -> None:
    assert (await desk.convert("report.docx", REPORT, "pdf", pages="2", compress=True))["pages"] == 1
    assert desk.text() == ["The second page"]


async def test_sources_of_several_kinds_become_one_pdf_in_their_order(desk: Desk) -> None:
    found = await desk.attempt(
        sources=[
            desk.lay("1.md", "# First"),
            desk.lay("2.docx", documents.docx("Second")),
            desk.lay("3.pdf", documents.pdf(pages=2)),
        ],
        to="pdf",
        destination=desk.storage.url("result.pdf"),
    )
    assert (found["kind"], found["pages"]) == ("md, docx, pdf", 4)
    assert desk.text() == ["First", "Second", "", ""]


async def test_of_several_sources_the_one_is_named_that_is_unusable(desk: Desk) -> None:
    found = await desk.attempt(
        sources=[desk.lay("1.md", "# First"), desk.lay("2.docx", b"")],
        to="pdf",
        destination=desk.storage.url("result.pdf"),
    )
    assert found == Failed("document", "source 2: it is empty", retryable=False)


async def test_progress_is_told_at_each_stage(desk: Desk) -> None:
    await desk.convert("a.md", "# Hi", "pdf")
    assert desk.job.told == [
        (0.0, "fetching the source"),
        (0.2, "converting the source from md"),
        (0.7, "making pdf"),
        (0.9, "storing the result"),
    ]


async def test_a_second_attempt_writes_over_the_first(desk: Desk) -> None:
    first = await desk.convert("report.docx", REPORT, "pdf")
    second = await desk.convert("report.docx", REPORT, "pdf")
    assert (first["url"], first["pages"]) == (second["url"], second["pages"])
    assert hashlib.sha256(desk.result("pdf").read_bytes()).hexdigest() == second["sha256"]


async def test_source_and_result_may_lie_in_s3(desk: Desk, s3: S3Server, tmp_path: Path) -> None:
    desk.env.update(s3.env)
    (tmp_path / "report.docx").write_bytes(REPORT)
    async with open_store(s3.env) as store:
        await store.upload(tmp_path / "report.docx", s3.url("in/report.docx"))
    found = await desk.attempt(source=s3.url("in/report.docx"), to="pdf", destination=s3.url("out/report.pdf"))
    async with open_store(s3.env) as store:
        stored = b"".join([chunk async for chunk in store.read(s3.url("out/report.pdf"))])
    assert (found["pages"], found["bytes"]) == (2, len(stored))
    with pypdfium2.PdfDocument(stored) as document:
        assert len(document) == 2


async def test_a_source_that_is_not_there_buries_the_job(desk: Desk) -> None:
    found = await desk.attempt(
        source=desk.storage.url("nothing.docx"), to="pdf", destination=desk.storage.url("result.pdf")
    )
    assert (found.kind, found.retryable) == ("storage", False)
    assert "nothing.docx" in found.message
