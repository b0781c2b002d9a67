"""What Gemini's answer comes to: a text with its figures, or the reason why there is none."""

from typing import TYPE_CHECKING, NamedTuple

from edworkers.core.outcome import Failed
from edworkers.handlers.ai.stream import text_of

if TYPE_CHECKING:
    from google.genai.types import GenerateContentResponse

_ENDED_WELL = frozenset({"STOP", "MAX_TOKENS", "FINISH_REASON_UNSPECIFIED"})

# The same question would be refused again; other reasons may pass.
_SAFETY = frozenset(
    {
        "SAFETY",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "JAILBREAK",
        "MODEL_ARMOR",
        "IMAGE_SAFETY",
        "ESCALATION",
        "PUP_LIMITED_DISABLED",
    }
)


class Answer(NamedTuple):
    """An answer with text in it."""

    text: str
    model: str
    finish_reason: str
    """`STOP`, or `MAX_TOKENS` for a text that was cut."""
    prompt_tokens: int
    answer_tokens: int
    total_tokens: int
    """More than the other two together where the model thought before it answered."""


def read_answer(response: "GenerateContentResponse", model: str) -> Answer | Failed:
    """Read a response to a question to `model`."""
    candidate = response.candidates[0] if response.candidates else None
    if candidate is None:
        return _no_candidate(response)
    reason = candidate.finish_reason.value if candidate.finish_reason else "STOP"
    if reason not in _ENDED_WELL:
        message = f"Gemini stopped its answer: {reason}"
        if candidate.finish_message:
            message += f" ({candidate.finish_message[:300]})"
        return Failed("blocked", message, retryable=reason not in _SAFETY)
    text = text_of(candidate)
    if not text.strip():
        return _empty(reason)
    usage = response.usage_metadata
    return Answer(
        text=text,
        model=response.model_version or model,
        finish_reason=reason,
        prompt_tokens=(usage and usage.prompt_token_count) or 0,
        answer_tokens=(usage and usage.candidates_token_count) or 0,
        total_tokens=(usage and usage.total_token_count) or 0,
    )


def _no_candidate(response: "GenerateContentResponse") -> Failed:
    feedback = response.prompt_feedback
    if feedback is None or feedback.block_reason is None:
        return Failed("empty", "Gemini's answer is empty: it has no candidates and gives no reason")
    reason = feedback.block_reason.value
    message = f"Gemini blocked the prompt: {reason}"
    if feedback.block_reason_message:
        message += f" ({feedback.block_reason_message[:300]})"
    return Failed("blocked", message, retryable=reason not in _SAFETY)


def _empty(reason: str) -> Failed:
    if reason == "MAX_TOKENS":
        message = "Gemini's answer is empty: it used up options.maxTokens before the first word; allow more"
        return Failed("empty", message, retryable=False)
    return Failed("empty", f"Gemini's answer is empty: it ended with {reason} and without a text")
