"""What servers keep between them, on Redis."""

from edworkers.adapters.redis.books.shelf import RedisBooks

__all__ = ["RedisBooks"]
