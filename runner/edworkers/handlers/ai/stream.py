"""Gemini's answer in pieces, told as they come, and put together to what it would have been in one piece."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.genai.types import Candidate, GenerateContentResponse


class BrokenOffError(Exception):
    """The stream ended before the answer did."""


class Gathered:
    """The pieces of one answer."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._last: Candidate | None = None
        self._rest: dict[str, Any] = {}

    def add(self, response: "GenerateContentResponse") -> str:
        """Take a piece; returns its text."""
        for name in ("prompt_feedback", "usage_metadata", "model_version"):
            value = getattr(response, name)
            if value is not None:
                self._rest[name] = value
        candidate = response.candidates[0] if response.candidates else None
        if candidate is None:
            return ""
        if candidate.finish_reason is not None or self._last is None or self._last.finish_reason is None:
            self._last = candidate
        text = text_of(candidate)
        self._said.append(text)
        return text

    @property
    def is_blocked(self) -> bool:
        """Whether the prompt was found unfit, be it in the middle of the answer."""
        feedback = self._rest.get("prompt_feedback")
        return feedback is not None and feedback.block_reason is not None

    def whole(self) -> "GenerateContentResponse":
        """Put the answer together. Raises BrokenOffError where its end is missing."""
        from google.genai import types

        if self._last is None or self.is_blocked:
            return types.GenerateContentResponse(**self._rest)
        if self._last.finish_reason is None:
            raise BrokenOffError
        said = types.Content(role="model", parts=[types.Part(text="".join(self._said))])
        whole = self._last.model_copy(update={"content": said})
        return types.GenerateContentResponse(candidates=[whole], **self._rest)


def text_of(candidate: "Candidate") -> str:
    """Give what a candidate says, without what it thinks."""
    parts = (candidate.content.parts if candidate.content else None) or []
    return "".join(part.text for part in parts if part.text and not part.thought)


async def gather(
    pieces: AsyncGenerator["GenerateContentResponse"], tell: Callable[[str], Awaitable[None]]
) -> "GenerateContentResponse":
    """Tell the text of each piece as it comes; returns the answer. Raises BrokenOffError where it has no end."""
    gathered = Gathered()
    async with aclosing(pieces):  # its connection is given back, whatever ends it
        async for response in pieces:
            text = gathered.add(response)
            if text:
                await tell(text)
    return gathered.whole()
