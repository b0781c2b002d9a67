"""What is handed to a mail server, and what it says to that."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message with its envelope. Addresses are bare, their domains in ASCII; lines of `content` end with CRLF."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    utf8: bool = False
    """Whether an address has a name beyond ASCII, so that the server has to know SMTPUTF8."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A server's no: its code, such as 550, and its words, which may be several lines."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of a message: who has it, who was refused and why, and what the server said of the whole.

    With `refusal` nobody has it, whoever was accepted before.
    """

    accepted: tuple[str, ...] = ()
    refused: tuple[tuple[str, Refusal], ...] = ()
    refusal: Refusal | None = None
    answer: str = ""
