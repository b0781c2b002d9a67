"""The queue `ai`: asks Gemini."""

from edworkers.handlers.ai.generate import MODULE

__all__ = ["MODULE"]
