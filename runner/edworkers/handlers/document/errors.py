"""What is wrong with documents."""

from edworkers.core.errors import EdworkersError


class UnusableDocumentError(EdworkersError):
    """A document with which nothing can be done, now or later: its text is the reason, for people."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class NotLaidOutError(EdworkersError):
    """HTML or Markdown that wasn't laid out for a reason that may pass."""
