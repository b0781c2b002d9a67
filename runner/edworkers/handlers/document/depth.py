"""How deeply HTML is nested, told before it is read: a reader takes minutes where it is thousands of levels."""

import re

from edworkers.handlers.document.errors import UnusableDocumentError

MOST_LEVELS = 2000
"""Far more than can be laid out, which is about a hundred, and few enough to be read in a second."""
TOO_DEEP = "it is nested too deeply to be laid out: take elements out of each other"

_NO_MARKUP = re.compile(r"(?is)<!--(?:.*?-->|.*)|<(script|style|textarea|title)\b(?:.*?</\1\s*>|.*)")
"""What has no end reaches to the end of the text, as for a browser; and each text is gone through once."""
_TAG = re.compile(r"<(/?)([A-Za-z][^\s/>]*)")
_EMPTY = "area base br col embed hr img input link meta param source track wbr"
_CLOSED_BY_OTHERS = "html head body p li dt dd tr td th thead tbody tfoot option optgroup colgroup caption rt rp"
_MENDED = "a b big code em font i nobr s small strike strong tt u"
_NOT_COUNTED = frozenset(f"{_EMPTY} {_CLOSED_BY_OTHERS} {_MENDED}".split())
"""Elements that may stand there without an end and hold nothing of what follows."""


def check_depth(html: str) -> None:
    """Refuse what is nested deeper than `MOST_LEVELS`. Raises UnusableDocumentError."""
    level = 0
    for found in _TAG.finditer(_NO_MARKUP.sub("", html)):
        if found[2].lower() in _NOT_COUNTED:
            continue
        level = max(level - 1, 0) if found[1] else level + 1
        if level > MOST_LEVELS:
            raise UnusableDocumentError(TOO_DEEP)
