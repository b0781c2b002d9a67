"""Finds what a part of an office package would have loaded from elsewhere, and takes it out.

In OOXML everything outside is named by a relationship, in ODF by `xlink:href`. Links that a reader may click stay as
they are: nothing follows them by itself.
"""

import re
from xml.parsers import expat

_MAY_BE_OUTSIDE = frozenset({"hyperlink"})
_CLICKED_IN_ODF = frozenset({"a", "area-rectangle", "area-circle", "area-polygon"})
# A chart names the document around it by two dots alone.
_OUTSIDE = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*:|[/\\]|(\./)*\.\.[/\\]+\S)")
_XLINK = "http://www.w3.org/1999/xlink href"
_OF_A_RELATIONSHIP = re.compile(rb"""(?<=\sTarget=)("[^"]*"|'[^']*')""")
_OF_A_LINK = re.compile(rb"""(?<=:href=)("[^"]*"|'[^']*')""")
_END_OF_TAG = re.compile(rb"""<(?:[^"'>]|"[^"]*"|'[^']*')*>""")


class UnsafeXmlError(Exception):
    """A part that must not be read any further; its text says why."""


class _Finder:
    """Reads one part and notes where elements stand that lead outside."""

    def __init__(self, *, is_odf: bool) -> None:
        self.places: list[int] = []
        self._is_odf = is_odf
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._element
        self._parser.EntityDeclHandler = self._entity

    def read(self, xml: bytes) -> None:
        try:
            self._parser.Parse(xml, True)  # noqa: FBT003 - expat knows no names
        except expat.ExpatError as error:
            raise UnsafeXmlError(f"is no well-formed XML: {error}") from None

    def _element(self, name: str, attributes: dict[str, str]) -> None:
        if self._leads_outside(name.rpartition(" ")[2], attributes):
            self.places.append(self._parser.CurrentByteIndex)

    def _leads_outside(self, name: str, attributes: dict[str, str]) -> bool:
        if self._is_odf:
            return name not in _CLICKED_IN_ODF and _OUTSIDE.match(attributes.get(_XLINK, "")) is not None
        if name != "Relationship" or not attributes.get("Target"):
            return False
        kind = attributes.get("Type", "").rpartition("/")[2]
        return attributes.get("TargetMode") == "External" and kind not in _MAY_BE_OUTSIDE

    def _entity(self, *_: object) -> None:
        raise UnsafeXmlError("declares entities, by which a small file becomes a large one")


def outside(xml: bytes, *, is_odf: bool) -> list[int]:
    """Give the places in a part at which an element leads outside. Raises UnsafeXmlError."""
    finder = _Finder(is_odf=is_odf)
    finder.read(xml)
    return finder.places


def without_outside(xml: bytes, *, is_odf: bool) -> bytes:
    """Give a part in which nothing leads outside any more. Raises UnsafeXmlError, also where that can't be done."""
    pattern = _OF_A_LINK if is_odf else _OF_A_RELATIONSHIP
    kept = bytearray()
    done = 0
    for place in outside(xml, is_odf=is_odf):
        tag = _END_OF_TAG.match(xml, place)
        end = tag.end() if tag else place
        kept += xml[done:place] + pattern.sub(b'""', xml[place:end])
        done = end
    clean = bytes(kept + xml[done:])
    if outside(clean, is_odf=is_odf):
        raise UnsafeXmlError("links to what is not in it, in a way that can't be taken out")
    return clean
