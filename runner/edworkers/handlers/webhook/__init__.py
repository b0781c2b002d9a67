"""The queue `webhook`: delivers events to receivers on the web."""

from edworkers.handlers.webhook.deliver import MODULE

__all__ = ["MODULE"]
