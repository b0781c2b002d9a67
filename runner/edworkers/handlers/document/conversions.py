"""Which conversions there are: of each kind of source, to what and by which way."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from edworkers.handlers.document.errors import UnusableDocumentError

Target = Literal["pdf", "docx", "html", "txt", "png"]


class Kind(StrEnum):
    """What a source is, by its content."""

    PDF = "pdf"
    DOCX = "docx"
    ODT = "odt"
    DOC = "doc"
    RTF = "rtf"
    PPTX = "pptx"
    ODP = "odp"
    PPT = "ppt"
    XLSX = "xlsx"
    ODS = "ods"
    XLS = "xls"
    HTML = "html"
    MARKDOWN = "md"


class By(StrEnum):
    """What does a step."""

    OFFICE = "LibreOffice"
    WEB = "WeasyPrint"
    MARKDOWN = "markdown-it"
    PDF = "pdf"
    """From a PDF to a PDF, to text or to pictures."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a conversion: what does it, what comes of it, and for LibreOffice the filter that writes it."""

    by: By
    to: Target
    export: str = ""


Route = tuple[Step, ...]

_DOCX = Step(By.OFFICE, "docx", "MS Word 2007 XML")
_TEXT_PDF = Step(By.OFFICE, "pdf", "writer_pdf_Export")
_TEXT_HTML = Step(By.OFFICE, "html", "HTML (StarWriter):EmbedImages")
_TEXT_TXT = Step(By.OFFICE, "txt", "Text (encoded):UTF8")
_SHEET_PDF = Step(By.OFFICE, "pdf", "calc_pdf_Export")
_SHEET_HTML = Step(By.OFFICE, "html", "HTML (StarCalc):EmbedImages")
_SLIDES_PDF = Step(By.OFFICE, "pdf", "impress_pdf_Export")
_WEB_PDF = Step(By.WEB, "pdf")
_MARKDOWN_HTML = Step(By.MARKDOWN, "html")
_PDF_PDF, _PDF_TXT, _PDF_PNG = (Step(By.PDF, target) for target in ("pdf", "txt", "png"))

_TEXT: dict[Target, Route] = {
    "pdf": (_TEXT_PDF, _PDF_PDF),
    "docx": (_DOCX,),
    "html": (_TEXT_HTML,),
    "txt": (_TEXT_TXT,),
    "png": (_TEXT_PDF, _PDF_PNG),
}
_SHEET: dict[Target, Route] = {
    "pdf": (_SHEET_PDF, _PDF_PDF),
    "html": (_SHEET_HTML,),
    "txt": (_SHEET_PDF, _PDF_TXT),
    "png": (_SHEET_PDF, _PDF_PNG),
}
_SLIDES: dict[Target, Route] = {
    "pdf": (_SLIDES_PDF, _PDF_PDF),
    "txt": (_SLIDES_PDF, _PDF_TXT),
    "png": (_SLIDES_PDF, _PDF_PNG),
}
_HTML: dict[Target, Route] = {
    "pdf": (_WEB_PDF, _PDF_PDF),
    "txt": (_WEB_PDF, _PDF_TXT),
    "png": (_WEB_PDF, _PDF_PNG),
}
_MARKDOWN: dict[Target, Route] = {
    "html": (_MARKDOWN_HTML,),
    **{target: (_MARKDOWN_HTML, *route) for target, route in _HTML.items()},
}

CONVERSIONS: dict[Kind, dict[Target, Route]] = {
    Kind.PDF: {"pdf": (_PDF_PDF,), "txt": (_PDF_TXT,), "png": (_PDF_PNG,)},
    Kind.DOCX: {target: route for target, route in _TEXT.items() if target != "docx"},
    Kind.ODT: _TEXT,
    Kind.DOC: _TEXT,
    Kind.RTF: _TEXT,
    Kind.PPTX: _SLIDES,
    Kind.ODP: _SLIDES,
    Kind.PPT: _SLIDES,
    Kind.XLSX: _SHEET,
    Kind.ODS: _SHEET,
    Kind.XLS: _SHEET,
    Kind.HTML: _HTML,
    Kind.MARKDOWN: _MARKDOWN,
}


def route_of(kind: Kind, to: Target) -> Route:
    """Give the steps from a kind of source to a target. Raises UnusableDocumentError, which says what is possible."""
    possible = CONVERSIONS[kind]
    if to not in possible:
        raise UnusableDocumentError(f"{kind} can't be made {to}; {kind} can be made {_listed(possible)}")
    return possible[to]


def _listed(possible: dict[Target, Route]) -> str:
    *most, last = possible
    return f"{', '.join(most)} or {last}"
