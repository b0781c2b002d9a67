"""Checks an office package before anything opens it: that it can be unpacked, to how much, and what it links to."""

import io
import shutil
import zipfile
import zlib
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.links import UnsafeXmlError, outside, without_outside

MOST_PARTS = 10_000
MOST_OF_XML = 256 * 1024 * 1024
"""Bytes of a part that has to be read as a whole."""
MOST_RATIO = 200
"""How many times as large a part may become, once it is larger than the next figure."""
RATIO_FROM = 32 * 1024 * 1024
DEEPEST = 3

_CHUNK = 1024 * 1024
_XML = (".xml", ".rels", ".rdf", ".vml", ".svg")
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError)


@dataclass
class Budget:
    """What may still be unpacked, of this package and those in it together."""

    bytes: int
    allowed: int

    def take(self, count: int) -> None:
        """Count bytes that were unpacked. Raises UnusableDocumentError."""
        self.bytes -= count
        if self.bytes < 0:
            raise UnusableDocumentError(f"it unpacks to more than the {self.allowed >> 20} MiB that are allowed")


def seal(path: Path, limits: Limits) -> bool:
    """Check a package, and take out of it what would be loaded from elsewhere; says whether there was anything.

    Each part is really unpacked, and what its header says about its size is believed only where it is worse. Raises
    UnusableDocumentError.
    """
    budget = Budget(limits.max_unpacked_bytes, limits.max_unpacked_bytes)
    try:
        with zipfile.ZipFile(path) as package:
            linking = _look_through(package, budget, 1)
    except _DAMAGED as error:
        raise UnusableDocumentError(f"it is damaged: {error}") from None
    if linking:  # outside of that: a disk that is full is no fault of the document
        _rewrite(path, linking)
    return bool(linking)


def _look_through(package: zipfile.ZipFile, budget: Budget, depth: int) -> set[str]:
    """Unpack all parts, and name those that lead outside."""
    parts = package.infolist()
    _check_directory(parts, budget)
    is_odf = any(part.filename == "mimetype" for part in parts)
    linking: set[str] = set()
    for part in parts:
        if part.filename.lower().endswith(_XML):
            if _leads_outside(part, _whole(package, part, budget), is_odf=is_odf):
                linking.add(part.filename)
        else:
            _look_into(package, part, budget, depth)
    return linking


def _check_directory(parts: list[zipfile.ZipInfo], budget: Budget) -> None:
    if len(parts) > MOST_PARTS:
        raise UnusableDocumentError(f"it has {len(parts)} parts, and {MOST_PARTS} are allowed")
    if len({part.filename for part in parts}) < len(parts):
        raise UnusableDocumentError("it is damaged: two of its parts have the same name")
    if sum(part.file_size for part in parts) > budget.bytes:
        budget.take(budget.bytes + 1)
    for part in parts:
        if part.flag_bits & _ENCRYPTED:
            raise UnusableDocumentError("it is protected with a password: send it without one")
        if part.compress_type not in _METHODS:
            raise UnusableDocumentError(f"its part {part.filename[:100]!r} is compressed as no office document is")


def _chunks(package: zipfile.ZipFile, part: zipfile.ZipInfo, budget: Budget) -> Generator[bytes]:
    """Unpack a part, piece by piece; its checksum is compared at the end."""
    total = 0
    with package.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            total += len(chunk)
            budget.take(len(chunk))
            if total > RATIO_FROM and total > MOST_RATIO * max(part.compress_size, 1):
                raise UnusableDocumentError(
                    f"its part {part.filename[:100]!r} becomes more than {MOST_RATIO} times as large, unpacked"
                )
            yield chunk


def _whole(package: zipfile.ZipFile, part: zipfile.ZipInfo, budget: Budget) -> bytes:
    whole = bytearray()
    for chunk in _chunks(package, part, budget):
        whole += chunk
        if len(whole) > MOST_OF_XML:
            raise UnusableDocumentError(f"its part {part.filename[:100]!r} has more than {MOST_OF_XML >> 20} MiB")
    return bytes(whole)


def _leads_outside(part: zipfile.ZipInfo, xml: bytes, *, is_odf: bool) -> bool:
    is_outside_named = is_odf or part.filename.endswith(".rels")
    try:
        return bool(xml) and bool(outside(xml, is_odf=is_odf)) and is_outside_named
    except UnsafeXmlError as error:
        raise UnusableDocumentError(f"its part {part.filename[:100]!r} {error}") from None


def _look_into(package: zipfile.ZipFile, part: zipfile.ZipInfo, budget: Budget, depth: int) -> None:
    """Unpack a part, and where it is a package itself, the parts of that; what such a one links to stays in it."""
    with closing(_chunks(package, part, budget)) as chunks:
        first = next(chunks, b"")
        if not first.startswith(b"PK\x03\x04"):
            for _ in chunks:
                pass
            return
        if depth == DEEPEST:
            raise UnusableDocumentError(f"it holds packages within packages, more than {DEEPEST} deep")
        inner = io.BytesIO(b"".join([first, *chunks]))
    try:
        with zipfile.ZipFile(inner) as nested:
            _look_through(nested, budget, depth + 1)
    except _DAMAGED as error:
        raise UnusableDocumentError(f"its part {part.filename[:100]!r} is damaged: {error}") from None


def _rewrite(path: Path, linking: set[str]) -> None:
    """Write the package anew, without what leads outside."""
    beside = path.with_name(f"{path.name}.sealed")
    with (
        zipfile.ZipFile(path) as package,
        zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as written,
    ):
        is_odf = "mimetype" in package.namelist()
        for part in package.infolist():
            new = zipfile.ZipInfo(part.filename, part.date_time)
            new.compress_type = part.compress_type
            with package.open(part) as old, written.open(new, "w") as into:
                if part.filename in linking:
                    into.write(_clean(part, old.read(), is_odf=is_odf))
                else:
                    shutil.copyfileobj(old, into, _CHUNK)
    beside.replace(path)


def _clean(part: zipfile.ZipInfo, xml: bytes, *, is_odf: bool) -> bytes:
    try:
        return without_outside(xml, is_odf=is_odf)
    except UnsafeXmlError as error:
        raise UnusableDocumentError(f"its part {part.filename[:100]!r} {error}") from None
