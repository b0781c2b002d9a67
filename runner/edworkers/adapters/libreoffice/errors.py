"""What goes wrong with LibreOffice."""

from edworkers.core.errors import EdworkersError


class NotConvertedError(EdworkersError):
    """LibreOffice made nothing of a document. `is_document` tells whether that is the document's fault."""

    def __init__(self, message: str, *, is_document: bool) -> None:
        self.is_document = is_document
        super().__init__(message)
