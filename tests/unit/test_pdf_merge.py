"""Several PDF files become one."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from pikepdf import Pdf
from tests.unit import pdf_files

from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.pdf_compress import compress
from edworkers.handlers.document.pdf_merge import merge
from edworkers.handlers.document.pdf_open import Pages

LIMITS = Limits()
DANGEROUS = {"/AA", "/JavaScript", "/JS", "/EmbeddedFiles", "/EF", "/XFA", "/AF"}


def texts(path: Path) -> list[str]:
    document = pypdfium2.PdfDocument(path)
    try:
        return [page.get_textpage().get_text_bounded() for page in document]
    finally:
        document.close()


def test_the_pages_of_all_files_follow_each_other(tmp_path: Path) -> None:
    one = pdf_files.written(tmp_path / "1.pdf", "One", "Two")
    two = pdf_files.written(tmp_path / "2.pdf", "Three")
    out = tmp_path / "out.pdf"
    assert merge([one, two, one], out, limits=LIMITS) == Pages(pages=5, bytes=out.stat().st_size)
    assert texts(out) == ["One", "Two", "Three", "One", "Two"]


def test_pages_are_chosen_from_all_files_together(tmp_path: Path) -> None:
    one = pdf_files.with_bookmarks(tmp_path / "1.pdf", "One", "Two")
    two = pdf_files.written(tmp_path / "2.pdf", "Three", "Four")
    out = tmp_path / "out.pdf"
    assert merge([one, two], out, limits=LIMITS, pages=[(4, None), (2, 3)]).pages == 3
    assert texts(out) == ["Two", "Three", "Four"]
    with pytest.raises(UnusableDocumentError, match="none of those"):
        merge([one, two], out, limits=LIMITS, pages=[(9, 9)])


def test_bookmarks_lead_to_the_same_pages_as_before(tmp_path: Path) -> None:
    one = pdf_files.with_bookmarks(tmp_path / "1.pdf", "One", "Two")
    two = pdf_files.with_bookmarks(tmp_path / "2.pdf", "Three")
    merge([one, two], tmp_path / "out.pdf", limits=LIMITS)
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        pages = [page.obj.objgen for page in pdf.pages]
        with pdf.open_outline() as outline:
            found = {str(item.title): item.destination for item in outline.root}
            below = [str(item.title) for item in outline.root[0].children]
        assert {title: pages.index(place[0].objgen) for title, place in found.items()} == {  # type: ignore[index]
            "One": 0,
            "Two": 1,
            "Three": 2,
        }
        assert below == ["Part of One"]


def test_fields_of_two_forms_stay_two_fields_with_their_values(tmp_path: Path) -> None:
    forms = [pdf_files.with_field(tmp_path / f"{name}.pdf", name) for name in ("Ada", "Zoe")]
    merge(forms, tmp_path / "out.pdf", limits=LIMITS)
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        fields = {str(field.T): str(field.V) for field in pdf.Root.AcroForm.Fields}
    assert sorted(fields.values()) == ["Ada", "Zoe"]
    assert len(fields) == 2


def test_a_job_that_runs_again_makes_the_same_bytes(tmp_path: Path) -> None:
    sources = [pdf_files.written(tmp_path / "1.pdf", "One"), pdf_files.with_field(tmp_path / "2.pdf", "x")]
    for name in ("a", "b"):
        merge(sources, tmp_path / name, limits=LIMITS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_source_with_a_fault_is_named_by_its_number(tmp_path: Path) -> None:
    one = pdf_files.written(tmp_path / "1.pdf")
    (tmp_path / "2.pdf").write_bytes(b"Dear teacher")
    with pytest.raises(UnusableDocumentError, match=r"^source 2: the file is not a PDF$"):
        merge([one, tmp_path / "2.pdf"], tmp_path / "out.pdf", limits=LIMITS)
    with pytest.raises(UnusableDocumentError, match=r"^the file is not a PDF$"):
        merge([tmp_path / "2.pdf"], tmp_path / "out.pdf", limits=LIMITS)
    with pytest.raises(UnusableDocumentError, match="there is nothing to merge"):
        merge([], tmp_path / "out.pdf", limits=LIMITS)
    assert not (tmp_path / "out.pdf").exists()


def test_the_limits_are_for_all_sources_together(tmp_path: Path) -> None:
    one = pdf_files.written(tmp_path / "1.pdf", "One", "Two")
    with pytest.raises(UnusableDocumentError, match="source 2: there are 4 pages, and the limit is 3"):
        merge([one, one], tmp_path / "out.pdf", limits=Limits(max_pages=3))
    size = one.stat().st_size
    with pytest.raises(UnusableDocumentError, match="source 2: there are more than"):
        merge([one, one], tmp_path / "out.pdf", limits=Limits(max_bytes=size + 1))
    merge([one, one], tmp_path / "out.pdf", limits=Limits(max_bytes=2 * size, max_pages=4))


def everything_in(pdf: Pdf) -> list[Any]:
    """All dictionaries of a PDF, however deep."""
    return [item for top in pdf.objects for item in within(top)]


def within(item: Any) -> Iterator[Any]:
    """The dictionaries in an object, but not in those that it only names."""
    inner: Iterable[Any] = item if isinstance(item, pikepdf.Array) else ()
    if isinstance(item, pikepdf.Stream | pikepdf.Dictionary):
        yield item
        inner = item.values()
    for value in inner:
        if not getattr(value, "is_indirect", False):
            yield from within(value)


def facts(path: Path) -> tuple[set[str], set[str], set[str]]:
    """The dangerous keys of a PDF, the kinds of its actions, and those of its annotations."""
    with pikepdf.open(path) as pdf:
        items = everything_in(pdf)
        keys = {key for item in items for key in item.keys() if key in DANGEROUS}  # noqa: SIM118
        actions = {str(item.S) for item in items if "/S" in item and ("/D" in item or "/URI" in item or "/F" in item)}
        notes = {str(item.Subtype) for item in items if item.get("/Type") == "/Annot"}
        return keys, actions, notes


@pytest.mark.parametrize("what", ["merge", "compress"])
def test_what_acts_by_itself_is_taken_out_and_plain_links_stay(what: str, tmp_path: Path) -> None:
    source, out = pdf_files.active(tmp_path / "a.pdf"), tmp_path / "out.pdf"
    before = facts(source)
    assert before[0] >= {"/AA", "/JavaScript", "/JS", "/EmbeddedFiles", "/EF", "/XFA"}
    assert before[1] >= {"/Launch", "/SubmitForm"}
    assert before[2] >= {"/FileAttachment", "/RichMedia"}
    if what == "merge":
        merge([source, pdf_files.written(tmp_path / "b.pdf")], out, limits=LIMITS)
    else:
        compress(source, out, limits=LIMITS)
    assert facts(out) == (set(), {"/GoTo", "/URI"}, {"/Link"})
    assert b"MZ-evil" not in b"".join(stream_bytes(out))
    assert texts(out)[:2] == ["Act", "Next"]


def stream_bytes(path: Path) -> list[bytes]:
    with pikepdf.open(path) as pdf:
        return [item.read_bytes() for item in everything_in(pdf) if isinstance(item, pikepdf.Stream)]
