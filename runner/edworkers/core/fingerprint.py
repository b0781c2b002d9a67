"""Which failures are of one cause: a fingerprint that leaves out what differs from job to job.

The cause is what kind of failure it is, what it says without the numbers, ids and names in it, and, of an exception,
which of the project's own functions it passed through last. Line numbers are left out, as they change with every edit.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

_DIGITS = 12
_LONGEST = 2000
"""Characters of a message that are looked at."""
_LONGEST_TRACEBACK = 20_000
_MOST_FRAMES = 3
_LONGEST_CAUSE = 500

_MASKS = (
    # The address of a service tells the cause; what was asked of it tells the job.
    (re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]{0,15}://)(?:[^\s/?#@'\"<>]*@)?([^\s/?#'\"<>]*)[^\s'\"<>]*"), r"\1\2/*"),
    (re.compile(r"(?<![^\s@\"'<>()\[\],;:=])[^\s@\"'<>()\[\],;:=]+@[^\s@\"'<>()\[\],;:=]+"), "*"),
    (
        re.compile(
            r"\"(?:[^\"\\]|\\.)*\"|(?<!\w)'(?:[^'\\]|\\.)*'(?!\w)|`[^`]*`|\u201c[^\u201d]*\u201d|\u2018[^\u2019]*\u2019|\xab[^\xbb]*\xbb"
        ),
        "*",
    ),
    (re.compile(r"(?i)\b0x[0-9a-f]+\b|(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])"), "*"),
    # A word with a digit in it is an id or a number: uuids, hashes, versions, 10ms, IPv4 addresses.
    (re.compile(r"(?<![\w.:+-])[\w.:+-]*\d[\w.:+-]*(?<![.:])"), "*"),
    (re.compile(r"(?i)\b[0-9a-f]{16,}\b"), "*"),
    (re.compile(r"\*(?:[\s,;/|-]*\*)+"), "*"),
    (re.compile(r"\s+"), " "),
)
"""What differs between failures of one cause, and what is put in its place."""
_FRAME = re.compile(r'^ *File "([^"\n]+)", line \d+, in (.+)$', re.MULTILINE)
_LIBRARY = re.compile(
    r"[/\\](?:site|dist)-packages[/\\]|[/\\]lib(?:64)?[/\\]python3|[/\\]edworkers[/\\](?:pipeline|ports)[/\\]"
)
_OWN = re.compile(r"[/\\]edworkers[/\\](?!pipeline[/\\]|ports[/\\])")


def fingerprint(error: Mapping[str, Any]) -> str:
    """Give 12 hexadecimal digits that are the same for all errors of one cause.

    `error` is what is kept of a failure: `kind` and `message`, and where there are, `traceback` and `faults`.
    """
    faults = error.get("faults")
    says = sorted({mask(str(fault)) for fault in faults}) if faults else [mask(str(error.get("message", "")))]
    cause = "\0".join((str(error.get("kind", "")), *says, "", *_frames(str(error.get("traceback") or ""))))
    return hashlib.sha256(cause.encode(errors="backslashreplace")).hexdigest()[:_DIGITS]


def cause(error: Mapping[str, Any]) -> dict[str, str]:
    """Give what is shown of one of the failures of a cause: its kind and message, of 500 characters together."""
    kind = str(error.get("kind", ""))[:_LONGEST_CAUSE]
    return {"kind": kind, "message": str(error.get("message", ""))[: _LONGEST_CAUSE - len(kind)]}


def mask(message: str) -> str:
    """Put `*` in the place of whatever tells one job from another; what was masked before stays as it is."""
    text = message[:_LONGEST]
    for pattern, put in _MASKS:
        text = pattern.sub(put, text)
    return text.strip()


def _frames(traceback: str) -> Sequence[str]:
    """Name the innermost functions that aren't of a library, the last call first."""
    found = _FRAME.findall(traceback[-_LONGEST_TRACEBACK:])
    own = [(file, function) for file, function in found if _OWN.search(file) or not _is_library(file)]
    return [f"{_module(file)} {function}" for file, function in reversed(own[-_MOST_FRAMES:])]


def _is_library(file: str) -> bool:
    return file.startswith("<") or _LIBRARY.search(file) is not None


def _module(file: str) -> str:
    """Name a file by its end, as where the code lies differs between an image and a desk."""
    return "/".join(re.split(r"[/\\]", file)[-2:])
