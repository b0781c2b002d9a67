"""The queue `email`: sends mails through an SMTP server."""

from edworkers.handlers.email.send import MODULE

__all__ = ["MODULE"]
