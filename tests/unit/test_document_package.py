"""Office packages, checked before anything opens them."""

import io
import struct
import zipfile
from pathlib import Path

import pytest
from tests.integration import documents

from edworkers.handlers.document import package
from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.package import seal

LIMITS = Limits(max_unpacked_bytes=1024 * 1024)
LAUGHS = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><a>&b;</a>'


def written(folder: Path, content: bytes) -> Path:
    path = folder / "source"
    path.write_bytes(content)
    return path


def refused(folder: Path, content: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(UnusableDocumentError) as found:
        seal(written(folder, content), limits)
    return found.value.reason


def with_part(name: str, content: bytes | str, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    return documents.package({**documents.docx_parts(), name: content}, method=method)


@pytest.mark.parametrize(
    "content",
    [documents.docx("a"), documents.xlsx([["a"]]), documents.pptx("a"), documents.odt("a"), documents.odp("a")],
)
def test_what_is_sound_and_links_nowhere_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    assert seal(path, LIMITS) is False
    assert path.read_bytes() == content


def test_a_part_that_becomes_too_large_is_refused(tmp_path: Path) -> None:
    reason = "it unpacks to more than the 1 MiB that are allowed"
    assert refused(tmp_path, with_part("word/media/a.bin", bytes(2 * 1024 * 1024))) == reason


def test_parts_that_are_too_large_together_are_refused(tmp_path: Path) -> None:
    parts = {f"word/media/{number}.bin": bytes(300 * 1024) for number in range(4)}
    reason = "it unpacks to more than the 1 MiB that are allowed"
    assert refused(tmp_path, documents.package({**documents.docx_parts(), **parts})) == reason


def test_a_header_that_lies_about_the_size_is_not_believed(tmp_path: Path) -> None:
    honest = with_part("word/media/a.bin", bytes(2 * 1024 * 1024))
    lying = honest.replace(struct.pack("<I", 2 * 1024 * 1024), struct.pack("<I", 10))
    assert lying != honest
    assert refused(tmp_path, lying).startswith("it is damaged")


def test_what_grows_too_much_is_refused_though_it_would_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "RATIO_FROM", 100_000)
    reason = "its part 'word/media/a.bin' becomes more than 200 times as large, unpacked"
    assert refused(tmp_path, with_part("word/media/a.bin", bytes(900 * 1024))) == reason


def test_packages_within_count_with_the_one_around_them(tmp_path: Path) -> None:
    inner = documents.package({"a.bin": bytes(900 * 1024)})
    twice = documents.package(
        {**documents.docx_parts(), "word/embeddings/1.docx": inner, "word/embeddings/2.docx": inner}
    )
    assert refused(tmp_path, twice) == "it unpacks to more than the 1 MiB that are allowed"


def test_packages_within_packages_have_an_end(tmp_path: Path) -> None:
    nested = documents.package({"a.bin": b"a"})
    for _ in range(3):
        nested = documents.package({"a.zip": nested})
    assert refused(tmp_path, nested) == "it holds packages within packages, more than 3 deep"


def test_too_many_parts_are_refused(tmp_path: Path) -> None:
    many = documents.package({f"{number}.bin": b"" for number in range(package.MOST_PARTS + 1)})
    assert refused(tmp_path, many) == "it has 10001 parts, and 10000 are allowed"


def test_two_parts_of_the_same_name_are_refused(tmp_path: Path) -> None:
    written_twice = io.BytesIO()
    with zipfile.ZipFile(written_twice, "w") as archive:
        archive.writestr("a.bin", b"a")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.bin", b"b")
    assert refused(tmp_path, written_twice.getvalue()) == "it is damaged: two of its parts have the same name"


def test_a_part_with_a_password_is_told(tmp_path: Path) -> None:
    content = bytearray(documents.docx("a"))
    for magic, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        content[content.index(magic) + flags] |= 1
    assert refused(tmp_path, bytes(content)) == "it is protected with a password: send it without one"


def test_a_part_with_a_wrong_checksum_is_told(tmp_path: Path) -> None:
    content = with_part("word/media/a.bin", b"words that are stored as they are", zipfile.ZIP_STORED)
    assert refused(tmp_path, content.replace(b"that are stored", b"that were stored"[:15])).startswith(
        "it is damaged: Bad CRC"
    )


@pytest.mark.parametrize("name", ["word/document.xml", "docProps/custom.xml", "word/media/a.svg", "_rels/.rels"])
def test_entities_are_refused_in_every_part(tmp_path: Path, name: str) -> None:
    reason = f"its part {name!r} declares entities, by which a small file becomes a large one"
    assert refused(tmp_path, with_part(name, LAUGHS)) == reason


def test_a_part_that_is_no_xml_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path, with_part("word/document.xml", "<a><b></a>")).startswith(
        "its part 'word/document.xml' is no well-formed XML: mismatched tag"
    )


def test_what_would_be_loaded_is_taken_out_and_what_may_be_clicked_stays(tmp_path: Path) -> None:
    relations = [
        ("l1", "image", "http://elsewhere.example/a.png", "External"),
        ("l2", "attachedTemplate", "file:///etc/passwd", "External"),
        ("l3", "hyperlink", "https://school.example/", "External"),
    ]
    path = written(tmp_path, documents.package(documents.docx_parts(documents.paragraph("Hello"), relations=relations)))
    assert seal(path, LIMITS) is True
    with zipfile.ZipFile(path) as sealed:
        links = sealed.read("word/_rels/document.xml.rels").decode()
        assert b"Hello" in sealed.read("word/document.xml")
    assert links == documents.relationships(
        *[(name, kind, "" if name != "l3" else target, mode) for name, kind, target, mode in relations]
    )
    assert seal(path, LIMITS) is False


@pytest.mark.parametrize(
    "link",
    ["http://elsewhere.example/a", "file:///etc/passwd", "/etc/passwd", "../../secret.odt", "./../a", "\\\\host\\a"],
)
def test_every_way_out_of_an_open_document_is_closed(tmp_path: Path, link: str) -> None:
    body = f"<text:section text:name='a'><text:section-source xlink:href='{link}'/><text:p>old</text:p></text:section>"
    path = written(tmp_path, documents.package(documents.odf_parts("text", body)))
    assert seal(path, LIMITS) is True
    with zipfile.ZipFile(path) as sealed:
        assert sealed.namelist()[0] == "mimetype"
        assert sealed.getinfo("mimetype").compress_type == zipfile.ZIP_STORED
        assert b'<text:section-source xlink:href=""/>' in sealed.read("content.xml")


@pytest.mark.parametrize(
    "element",
    [
        "<text:a xlink:href='https://school.example/'>a</text:a>",
        "<draw:image xlink:href='Pictures/a.png'/>",
        "<draw:object xlink:href='./Object 1'/>",
        "<text:p xlink:href='#here'/>",
    ],
)
def test_links_within_an_open_document_and_those_to_be_clicked_stay(tmp_path: Path, element: str) -> None:
    assert seal(written(tmp_path, documents.package(documents.odf_parts("text", element))), LIMITS) is False


def test_a_link_in_letters_that_can_not_be_taken_out_is_refused(tmp_path: Path) -> None:
    text = documents.relationships(("l1", "image", "http://elsewhere.example/", "External"))
    utf16 = text.replace("UTF-8", "UTF-16").encode("utf-16")
    reason = "its part 'word/_rels/document.xml.rels' links to what is not in it, in a way that can't be taken out"
    assert refused(tmp_path, with_part("word/_rels/document.xml.rels", utf16)) == reason
