"""What is told of a question to Gemini beside its outcome: a span, and the tokens that it used.

Names and attributes are those of the semantic conventions of generative AI. What was asked and answered is in neither.
"""

from collections.abc import Generator
from contextlib import contextmanager

from edworkers.core.metric_names import AI_TOKENS
from edworkers.core.outcome import Deferred, Failed
from edworkers.core.tallies import TALLIES
from edworkers.handlers.ai.answer import Answer
from edworkers.telemetry.tracing import Span, client_span

_OPERATION = "generate_content"


class Question:
    """One question to Gemini."""

    def __init__(self, span: Span | None) -> None:
        self._span = span

    def came_to(self, answer: Answer | Failed | Deferred) -> None:
        """Take what it came to, and count its tokens."""
        if isinstance(answer, Answer):
            self._answered(answer)
        elif self._span is not None:
            self._span.fail(answer.kind if isinstance(answer, Failed) else "deferred")

    def _answered(self, answer: Answer) -> None:
        thought = max(answer.total_tokens - answer.prompt_tokens - answer.answer_tokens, 0)
        used = {"prompt": answer.prompt_tokens, "answer": answer.answer_tokens, "thought": thought}
        for kind, count in used.items():
            TALLIES.add(AI_TOKENS, (answer.model, kind), count)
        if self._span is not None:
            self._span.set(
                {
                    "gen_ai.response.model": answer.model,
                    "gen_ai.response.finish_reasons": [answer.finish_reason],
                    "gen_ai.usage.input_tokens": answer.prompt_tokens,
                    "gen_ai.usage.output_tokens": answer.answer_tokens + thought,
                }
            )


@contextmanager
def question(model: str) -> Generator[Question]:
    """Tell of one question to `model`, asked in the block."""
    attributes = {
        "gen_ai.operation.name": _OPERATION,
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.request.model": model,
    }
    with client_span(f"{_OPERATION} {model}", attributes) as span:
        yield Question(span)
