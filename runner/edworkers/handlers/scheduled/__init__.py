"""The queue `scheduled`: work on the database that the clock begins, each kind a job of its own type."""

from edworkers.handlers.scheduled.module import MODULE

__all__ = ["MODULE"]
