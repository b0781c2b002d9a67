"""The text part of a mail, made from its HTML: what a reader without HTML gets to see."""

import re
from html.parser import HTMLParser

_UNSEEN = frozenset({"head", "script", "style", "title", "template"})
_BLOCKS = frozenset({"address", "article", "blockquote", "div", "figure", "footer", "form", "header", "main", "pre"})
_LINES = _BLOCKS | {"dd", "dl", "dt", "li", "table", "tbody", "thead", "tr", "ul", "ol"}
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "section", "table", "ul", "ol"})
_CELLS = frozenset({"td", "th"})
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\r\n\f]+")
_MANY_BREAKS = re.compile(r"\n{3,}")
_LINK = re.compile(r"(https?|mailto|tel):", re.IGNORECASE)


def text_of(html: str) -> str:
    """Make plain text: lines and paragraphs as they are seen, the address after each link, the words of images."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = (line.strip() for line in "".join(reader.pieces).replace("\xa0", " ").split("\n"))
    return _MANY_BREAKS.sub("\n\n", "\n".join(lines)).strip() + "\n"


class _Reader(HTMLParser):
    """Collects what is seen. `pieces` are the text so far."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen: list[str] = []
        self._links: list[tuple[str, int]] = []
        self._lists: list[int | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if self._unseen or tag in _UNSEEN or _HIDDEN.search(given.get("style", "")):
            if tag not in _VOID:
                self._unseen.append(tag)
            return
        self._break_for(tag)
        self._begin(tag, given)

    def _begin(self, tag: str, given: dict[str, str]) -> None:
        match tag:
            case "br":
                self.pieces.append("\n")
            case "hr":
                self.pieces.append("----------\n\n")
            case "img":
                self._words(given.get("alt", ""))
            case "a":
                self._links.append((given.get("href", "").strip(), len(self.pieces)))
            case "ul" | "ol":
                self._lists.append(0 if tag == "ol" else None)
            case "li":
                self._item()
            case _:
                pass

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            self._leave_unseen(tag)
            return
        if tag == "a" and self._links:
            self._end_link(*self._links.pop())
        if tag in {"ul", "ol"} and self._lists:
            self._lists.pop()
        if tag in _CELLS:
            self._words(" ")
        self._break_for(tag)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._words(data)

    def _leave_unseen(self, tag: str) -> None:
        """Find the element that ends; those within it that were never closed end with it."""
        if tag in self._unseen:
            while self._unseen.pop() != tag:
                pass

    def _break_for(self, tag: str) -> None:
        if tag in _PARAGRAPHS:
            self._end_line("\n\n")
        elif tag in _LINES:
            self._end_line("\n")

    def _end_line(self, breaks: str) -> None:
        """See to it that the text ends with so many line breaks, and never with more for it."""
        end = "".join(self.pieces[-4:]).rstrip(" ")
        if not "".join(self.pieces[-50:]).strip():
            return
        missing = len(breaks) - (len(end) - len(end.rstrip("\n")))
        if missing > 0:
            self.pieces.append("\n" * missing)

    def _item(self) -> None:
        number = self._lists[-1] if self._lists else None
        if number is not None:
            self._lists[-1] = number + 1
        self.pieces.append("- " if number is None else f"{number + 1}. ")

    def _words(self, data: str) -> None:
        words = _SPACES.sub(" ", data)
        if words.startswith(" ") and (not self.pieces or self.pieces[-1].endswith((" ", "\n"))):
            words = words[1:]
        if words:
            self.pieces.append(words)

    def _end_link(self, target: str, since: int) -> None:
        shown = "".join(self.pieces[since:]).strip()
        if _LINK.match(target) and shown not in {target, target.partition(":")[2]}:
            self.pieces.append(f" ({target})" if shown else target)
