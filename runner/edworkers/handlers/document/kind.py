"""Tells what a source is, by its content; its name only confirms it."""

import re
import zipfile
from pathlib import Path, PurePosixPath

from edworkers.handlers.document import ole
from edworkers.handlers.document.conversions import Kind
from edworkers.handlers.document.errors import UnusableDocumentError

_BEGINNING = 64 * 1024
_PDF_WITHIN = 1024  # readers of PDF look as far for it
_MOST_OF_A_PART = 4 * 1024 * 1024
_LOOKS_LIKE_HTML = re.compile(
    rb"\s*(<\?xml[^>]*>\s*)?(?><!--.*?-->\s*)*+(<!doctype\s+html|<html|<head|<body|<meta|<title)[\s/>]",
    re.IGNORECASE | re.DOTALL,
)
_NOT_IN_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")

_ODF = {
    "application/vnd.oasis.opendocument.text": Kind.ODT,
    "application/vnd.oasis.opendocument.presentation": Kind.ODP,
    "application/vnd.oasis.opendocument.spreadsheet": Kind.ODS,
}
_OOXML = (
    (
        Kind.DOCX,
        re.compile(rb"(wordprocessingml\.(document|template)|ms-word\.(document|template)\.macroEnabled)\.main\+xml"),
    ),
    (
        Kind.PPTX,
        re.compile(rb"(presentationml\.(presentation|slideshow|template)|ms-powerpoint\.\w+\.macroEnabled)\.main\+xml"),
    ),
    (Kind.XLSX, re.compile(rb"(spreadsheetml\.(sheet|template)|ms-excel\.(sheet|template)\.macroEnabled)\.main\+xml")),
)
_NAMED = {
    Kind.PDF: (".pdf",),
    Kind.DOCX: (".docx", ".docm", ".dotx", ".dotm"),
    Kind.ODT: (".odt", ".ott"),
    Kind.DOC: (".doc", ".dot"),
    Kind.RTF: (".rtf", ".doc"),  # Word saves RTF under this name, too
    Kind.PPTX: (".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"),
    Kind.ODP: (".odp", ".otp"),
    Kind.PPT: (".ppt", ".pps", ".pot"),
    Kind.XLSX: (".xlsx", ".xlsm", ".xltx", ".xltm"),
    Kind.ODS: (".ods", ".ots"),
    Kind.XLS: (".xls", ".xlt"),
    Kind.HTML: (".html", ".htm", ".xhtml", ".md", ".markdown"),  # Markdown may begin with HTML
    Kind.MARKDOWN: (".md", ".markdown", ".txt", ".text", ".html", ".htm"),
}
_ALL_NAMES = frozenset(name for names in _NAMED.values() for name in names)
_NO_DOCUMENT = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"\x1f\x8b": "compressed by gzip",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x7fELF": "a program",
    b"MZ": "a program",
}


def kind_of(path: Path, name: str) -> Kind:
    """Say what a file is. `name` is what its sender calls it.

    Raises UnusableDocumentError for what is no document, is protected with a password, or is named as another kind.
    """
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING)
    if not beginning:
        raise UnusableDocumentError("it is empty")
    ending = PurePosixPath(name).suffix.lower()
    kind = _by_text_and_name(_by_content(path, beginning), ending)
    if ending in _ALL_NAMES and ending not in _NAMED[kind]:
        raise UnusableDocumentError(f"its name ends with {ending}, and its content is {kind}: name it as what it is")
    return kind


def _by_text_and_name(kind: Kind, ending: str) -> Kind:
    """Decide by the name only between two that look the same: HTML is Markdown, too."""
    if kind is Kind.HTML and ending in (".md", ".markdown"):
        return Kind.MARKDOWN
    if kind is Kind.MARKDOWN and ending in (".html", ".htm"):
        return Kind.HTML
    return kind


def _by_content(path: Path, beginning: bytes) -> Kind:
    if beginning.startswith(b"PK"):
        return _in_zip(path)
    if beginning.startswith(ole.MAGIC):
        return ole.kind_of(path)
    if b"%PDF-" in beginning[:_PDF_WITHIN]:
        return Kind.PDF
    if beginning.startswith(b"{\\rtf"):
        return Kind.RTF
    for magic, what in _NO_DOCUMENT.items():
        if beginning.startswith(magic):
            raise UnusableDocumentError(f"it is {what}, and no document")
    return _in_text(beginning)


def _in_text(beginning: bytes) -> Kind:
    text = as_text(beginning, is_beginning=True).encode()
    if _NOT_IN_TEXT.search(text):
        raise UnusableDocumentError("it is neither text nor any kind of document that is known here")
    return Kind.HTML if _LOOKS_LIKE_HTML.match(text) else Kind.MARKDOWN


def as_text(data: bytes, *, is_beginning: bool = False) -> str:
    """Read text as UTF-8, or as UTF-16 with a mark of its order. Raises UnusableDocumentError."""
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    # Where the beginning is cut off, there may be a part of a letter.
    attempts = range(len(data), max(len(data) - 4, 0), -1) if is_beginning and len(data) == _BEGINNING else [len(data)]
    for length in attempts:
        try:
            return data[:length].decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnusableDocumentError("it is neither UTF-8 text nor any kind of document that is known here")


def _in_zip(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as package:
            names = set(package.namelist())
            if "mimetype" in names:
                kind = _in_odf(package, names)
                _check_main_part(package, names, "content.xml")
                return kind
            if "[Content_Types].xml" in names:
                kind = _in_ooxml(types := _read(package, "[Content_Types].xml"))
                _check_main_part(package, names, _main_part(types))
                return kind
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, OSError, RuntimeError, ValueError):
        raise UnusableDocumentError("it is a zip file, as office documents are, and it is damaged or cut off") from None
    raise UnusableDocumentError("it is a zip file in which there is no document")


def _check_main_part(package: zipfile.ZipFile, names: set[str], part: str | None) -> None:
    """Refuse a package without the part that is the document: LibreOffice would make an empty page of it."""
    if part is not None and (part not in names or package.getinfo(part).file_size == 0):
        raise UnusableDocumentError(f"it is damaged: its part {part[:100]!r} is missing or empty")


def _main_part(types: bytes) -> str | None:
    """Find the name of the part that is the document; None where it isn't told in the usual way."""
    for override in re.findall(rb"<Override\b[^>]*>", types):
        name = re.search(rb"""\bPartName=["']/([^"']+)["']""", override)
        if name and any(pattern.search(override) for _, pattern in _OOXML):
            return name[1].decode(errors="replace")
    return None


def _read(package: zipfile.ZipFile, name: str) -> bytes:
    with package.open(name) as part:
        return part.read(_MOST_OF_A_PART)


def _in_odf(package: zipfile.ZipFile, names: set[str]) -> Kind:
    mimetype = _read(package, "mimetype")[:200].decode("ascii", errors="replace").strip()
    kind = _ODF.get(mimetype.removesuffix("-template"))
    if kind is None:
        raise UnusableDocumentError(f"it is a zip file of the type {mimetype!r}, of which nothing can be made here")
    if "META-INF/manifest.xml" in names and b"encryption-data" in _read(package, "META-INF/manifest.xml"):
        raise UnusableDocumentError("it is protected with a password: send it without one")
    return kind


def _in_ooxml(types: bytes) -> Kind:
    for kind, pattern in _OOXML:
        if pattern.search(types):
            return kind
    raise UnusableDocumentError("it is an Office package in which there is no document, spreadsheet or presentation")
