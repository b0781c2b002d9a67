"""Reads as much of an OLE compound file as tells what it is: what Word, Excel and PowerPoint wrote before 2007."""

import struct
from dataclasses import dataclass
from pathlib import Path

from edworkers.handlers.document.conversions import Kind
from edworkers.handlers.document.errors import UnusableDocumentError

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LAST_SECTOR = 0xFFFFFFFA  # numbers above it mean that there is none
_SIZE_OF_ENTRY = 128
_MOST_ENTRIES = 100_000
_LEAST_OF_ITS_OWN, _SMALL_SECTOR = 4096, 64
_ENCRYPTED_WORD = 0x0100  # a bit of the flags at the beginning of a Word document
_KINDS = {"WordDocument": Kind.DOC, "Workbook": Kind.XLS, "Book": Kind.XLS, "PowerPoint Document": Kind.PPT}
_PROTECTED = "it is protected with a password: send it without one"


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a compound file."""

    first_sector: int
    size: int


class CompoundFile:
    """A compound file, of which only what is asked for is read. Raises ValueError where it is broken."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        (shift,) = self._words("<H", 30)
        if shift not in (9, 12):
            raise ValueError("no such size of sectors")
        self._size = 1 << shift
        self._table = self._read_table()

    def streams(self) -> dict[str, Stream]:
        """Give the streams and folders by their names, wherever in the file they are."""
        (first,) = self._words("<I", 48)
        chain = b"".join(self._chain(first, _MOST_ENTRIES * _SIZE_OF_ENTRY))
        entries = [chain[at : at + _SIZE_OF_ENTRY] for at in range(0, len(chain) - _SIZE_OF_ENTRY + 1, _SIZE_OF_ENTRY)]
        found: dict[str, Stream] = {}
        for entry in entries:
            length, sector, size = struct.unpack_from("<H50xII", entry, 64)
            name = entry[: max(min(length, 64) - 2, 0)].decode("utf-16-le", errors="replace")
            found.setdefault(name, Stream(sector, size))
        return found

    def beginning(self, stream: Stream, root: Stream) -> bytes:
        """Give the first bytes of a stream; small ones lie together in that of the root."""
        if stream.size >= _LEAST_OF_ITS_OWN:
            return b"".join(self._chain(stream.first_sector, self._size))
        at = stream.first_sector * _SMALL_SECTOR
        return b"".join(self._chain(root.first_sector, at + _SMALL_SECTOR))[at : at + _SMALL_SECTOR]

    def _words(self, layout: str, at: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(layout, self._data, at)
        except struct.error:
            raise ValueError("it ends too early") from None

    def _sector(self, number: int) -> bytes:
        at = (number + 1) * self._size
        sector = self._data[at : at + self._size]
        if not sector:
            raise ValueError("a part of it is missing")
        return sector

    def _read_table(self) -> list[int]:
        """Read which sector comes after which, as far as the header names where that stands."""
        named = (number for number in self._words("<109I", 76) if number < _LAST_SECTOR)
        return [
            word for number in named for (word,) in struct.iter_unpack("<I", self._sector(number)[: self._size & ~3])
        ]

    def _chain(self, sector: int, at_most: int) -> list[bytes]:
        found: list[bytes] = []
        while sector < _LAST_SECTOR and len(found) * self._size < at_most:
            found.append(self._sector(sector))
            if sector >= len(self._table):
                break
            sector = self._table[sector]
        return found


def kind_of(path: Path) -> Kind:
    """Say what a compound file is. Raises UnusableDocumentError, for one that is protected, too."""
    try:
        # It is the size of a document, and was checked before; the sectors asked for lie anywhere in it.
        file = CompoundFile(path.read_bytes())
        streams = file.streams()
        if "EncryptedPackage" in streams or "EncryptionInfo" in streams:
            raise UnusableDocumentError(_PROTECTED)
        word = streams.get("WordDocument")
        root = streams.get("Root Entry", Stream(0, 0))
        if word is not None and int.from_bytes(file.beginning(word, root)[10:12], "little") & _ENCRYPTED_WORD:
            raise UnusableDocumentError(_PROTECTED)
    except (ValueError, struct.error) as error:
        raise UnusableDocumentError(f"it is an Office file of before 2007, and it is damaged: {error}") from None
    for name, kind in _KINDS.items():
        if name in streams:
            return kind
    raise UnusableDocumentError("it is an OLE file in which there is no document, spreadsheet or presentation")
