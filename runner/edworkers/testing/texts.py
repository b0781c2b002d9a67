"""The text that a job writes, as memory keeps it."""

from dataclasses import dataclass, field

from edworkers.core.written_text import MAX_TEXT_BYTES, MAX_TEXT_PIECES, TEXT_KEPT_MS, cut_to


@dataclass(slots=True)
class Text:
    """What one attempt has written; `expires_at` is Unix ms."""

    pieces: list[bytes] = field(default_factory=list[bytes])
    expires_at: int = 0
    written: int = 0
    """Bytes, those that aren't kept too."""

    def add(self, piece: bytes, now: int) -> None:
        """Add a piece, as far as there is room."""
        self.expires_at = now + TEXT_KEPT_MS
        if self.pieces and (self.written >= MAX_TEXT_BYTES or len(self.pieces) >= MAX_TEXT_PIECES):
            return
        self.pieces.append(cut_to(piece, MAX_TEXT_BYTES - self.written))
        self.written += len(piece)
