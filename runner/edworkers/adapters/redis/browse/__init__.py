"""What people who watch a queue ask of it, on Redis."""

from edworkers.adapters.redis.browse.browser import RedisBrowser

__all__ = ["RedisBrowser"]
