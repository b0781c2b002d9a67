"""The queue `document`: converts documents."""

from edworkers.handlers.document.convert import MODULE

__all__ = ["MODULE"]
