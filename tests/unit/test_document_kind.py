"""What a source is, told by its content."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.integration import documents

from edworkers.handlers.document.conversions import Kind
from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.kind import as_text, kind_of

DOCX = documents.docx("Hello")
MACRO_DOCX = documents.package(
    {
        name: (
            content.replace(
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
                "application/vnd.ms-word.document.macroEnabled.main+xml",
            )
            if isinstance(content, str)
            else content
        )
        for name, content in documents.docx_parts().items()
    }
)


def written(folder: Path, content: bytes | str) -> Path:
    path = folder / "source"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(folder: Path, content: bytes | str, name: str = "source") -> str:
    with pytest.raises(UnusableDocumentError) as found:
        kind_of(written(folder, content), name)
    return found.value.reason


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (DOCX, Kind.DOCX),
        (MACRO_DOCX, Kind.DOCX),
        (documents.xlsx([["a"]]), Kind.XLSX),
        (documents.pptx("a"), Kind.PPTX),
        (documents.odt("a"), Kind.ODT),
        (documents.ods([["a"]]), Kind.ODS),
        (documents.odp("a"), Kind.ODP),
        (documents.rtf("a"), Kind.RTF),
        (documents.pdf(), Kind.PDF),
        (b"some junk\n" + documents.pdf(), Kind.PDF),
        ("<!DOCTYPE html><p>a", Kind.HTML),
        ("\ufeff <!-- a --><!-- b --> <HTML><p>a", Kind.HTML),
        ("# Title", Kind.MARKDOWN),
        ("<b>bold</b> is **bold**", Kind.MARKDOWN),
        ("Größe".encode("utf-16"), Kind.MARKDOWN),
    ],
)
@pytest.mark.parametrize("name", ["source", "download.php"])
def test_it_is_told_by_the_content(tmp_path: Path, content: bytes | str, kind: Kind, name: str) -> None:
    assert kind_of(written(tmp_path, content), name) == kind


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        ("<html><p>a", "a.md", Kind.MARKDOWN),
        ("just <b>text</b>", "a.html", Kind.HTML),
        ("just text", "a.TXT", Kind.MARKDOWN),
        (MACRO_DOCX, "a.docm", Kind.DOCX),
        (documents.rtf("a"), "a.doc", Kind.RTF),
    ],
)
def test_a_name_decides_only_between_what_looks_the_same(
    tmp_path: Path, content: bytes | str, name: str, kind: Kind
) -> None:
    assert kind_of(written(tmp_path, content), name) == kind


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        (documents.pdf(), "a.docx", "its name ends with .docx, and its content is pdf"),
        (DOCX, "a.pdf", "its name ends with .pdf, and its content is docx"),
        (documents.xlsx([["a"]]), "a.docx", "its name ends with .docx, and its content is xlsx"),
        ("text", "a.pptx", "its name ends with .pptx, and its content is md"),
    ],
)
def test_a_name_that_says_otherwise_is_told(tmp_path: Path, content: bytes | str, name: str, told: str) -> None:
    assert refused(tmp_path, content, name).startswith(told)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (DOCX[: len(DOCX) // 2], "it is a zip file, as office documents are, and it is damaged or cut off"),
        (b"PK", "it is a zip file, as office documents are, and it is damaged or cut off"),
        (documents.package({"a.txt": "a"}), "it is a zip file in which there is no document"),
        (
            documents.package({"mimetype": "application/epub+zip"}),
            "it is a zip file of the type 'application/epub+zip', of which nothing can be made here",
        ),
        (
            documents.package({"[Content_Types].xml": documents.content_types({})}),
            "it is an Office package in which there is no document, spreadsheet or presentation",
        ),
        (b"\x89PNG\r\n\x1a\n", "it is a PNG picture, and no document"),
        (b"MZ\x90\x00\x03", "it is a program, and no document"),
        (b"a\x00b", "it is neither text nor any kind of document that is known here"),
        (b"caf\xe9 and more", "it is neither UTF-8 text nor any kind of document that is known here"),
    ],
)
def test_what_is_no_document_is_told_for_what_it_is(tmp_path: Path, content: bytes, reason: str) -> None:
    assert refused(tmp_path, content) == reason


def test_an_encrypted_odf_is_told(tmp_path: Path) -> None:
    parts = documents.odf_parts("text", "")
    manifest = str(parts["META-INF/manifest.xml"]).replace(
        'manifest:media-type="text/xml"/>',
        'manifest:media-type="text/xml"><manifest:encryption-data/></manifest:file-entry>',
    )
    content = documents.package({**parts, "META-INF/manifest.xml": manifest})
    assert refused(tmp_path, content) == "it is protected with a password: send it without one"


def ole(*streams: str, flags: int = 0) -> bytes:
    """A compound file with these streams, each of one sector: the table, the folder, then the streams' own."""
    sector = 512
    entries = [ole_entry("Root Entry", 0xFFFFFFFE, 0), *(ole_entry(name, 3, 4096) for name in streams)]
    folder = b"".join(entries).ljust(2 * sector, b"\x00")
    header = documents_header(table=0, folder=1)
    table = b"".join(number.to_bytes(4, "little") for number in (0xFFFFFFFD, 2, 0xFFFFFFFE, 0xFFFFFFFE)).ljust(
        sector, b"\xff"
    )
    stream = (bytes(10) + flags.to_bytes(2, "little")).ljust(sector, b"\x00")
    return header + table + folder + stream


def ole_entry(name: str, first: int, size: int) -> bytes:
    letters = name.encode("utf-16-le")
    return (
        letters.ljust(64, b"\x00")
        + (len(letters) + 2).to_bytes(2, "little")
        + bytes(50)
        + first.to_bytes(4, "little")
        + size.to_bytes(8, "little")
    )


def documents_header(*, table: int, folder: int) -> bytes:
    return (
        bytes.fromhex("d0cf11e0a1b11ae1").ljust(30, b"\x00")
        + (9).to_bytes(2, "little")
        + bytes(16)
        + folder.to_bytes(4, "little")
        + bytes(24)
        + table.to_bytes(4, "little")
        + b"\xff" * 432
    )


@pytest.mark.parametrize(
    ("stream", "kind"),
    [("WordDocument", Kind.DOC), ("Workbook", Kind.XLS), ("Book", Kind.XLS), ("PowerPoint Document", Kind.PPT)],
)
def test_office_files_of_before_2007_are_known_by_their_streams(tmp_path: Path, stream: str, kind: Kind) -> None:
    assert kind_of(written(tmp_path, ole(stream)), "source") == kind


@pytest.mark.parametrize("content", [ole("EncryptedPackage", "EncryptionInfo"), ole("WordDocument", flags=0x0100)])
def test_a_password_is_told_also_for_what_hides_in_an_old_format(tmp_path: Path, content: bytes) -> None:
    assert refused(tmp_path, content) == "it is protected with a password: send it without one"


def test_an_old_format_without_a_document_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path, ole("Thumbs")) == (
        "it is an OLE file in which there is no document, spreadsheet or presentation"
    )


@given(
    content=st.binary(max_size=2000), start=st.sampled_from([b"", b"PK\x03\x04", b"%PDF-", ole("WordDocument")[:600]])
)
def test_whatever_it_is_there_is_a_kind_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, start: bytes
) -> None:
    path = written(tmp_path_factory.mktemp("any"), start + content)
    with suppress(UnusableDocumentError):
        assert kind_of(path, "source") in Kind


def test_a_letter_that_is_cut_off_at_the_end_of_the_beginning_is_no_fault(tmp_path: Path) -> None:
    assert kind_of(written(tmp_path, "x" + "ä" * 100_000), "source") == Kind.MARKDOWN


def test_text_that_is_no_utf8_is_refused() -> None:
    assert as_text("ä".encode("utf-16")) == "ä"
    with pytest.raises(UnusableDocumentError):
        as_text(b"\xe4")
