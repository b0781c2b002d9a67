"""What Gemini's answers come to."""

from typing import Any

import pytest
from google.genai.types import GenerateContentResponse

from edworkers.core.outcome import Failed
from edworkers.handlers.ai.answer import Answer, read_answer

MODEL = "gemini-2.5-flash"


def response(*parts: dict[str, Any], finish: str | None = "STOP", **more: Any) -> GenerateContentResponse:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "finishReason": finish}
    return GenerateContentResponse.model_validate({"candidates": [candidate], **more})


def failure(answer: GenerateContentResponse) -> Failed:
    outcome = read_answer(answer, MODEL)
    assert isinstance(outcome, Failed)
    return outcome


def test_an_answer_is_its_text_with_its_figures() -> None:
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 5, "thoughtsTokenCount": 7, "totalTokenCount": 15}
    answer = read_answer(
        response({"text": "Because "}, {"text": "of Rayleigh."}, modelVersion="gemini-x", usageMetadata=usage), MODEL
    )
    assert answer == Answer("Because of Rayleigh.", "gemini-x", "STOP", 3, 5, 15)


def test_figures_that_the_service_leaves_out_are_nought_and_its_model_is_the_one_asked() -> None:
    assert read_answer(response({"text": "Yes"}), MODEL) == Answer("Yes", MODEL, "STOP", 0, 0, 0)
    assert read_answer(response({"text": "Yes"}, finish=None), MODEL) == Answer("Yes", MODEL, "STOP", 0, 0, 0)


def test_what_the_model_thought_is_not_its_answer() -> None:
    answer = read_answer(response({"text": "Hmm", "thought": True}, {"text": "Yes"}), MODEL)
    assert isinstance(answer, Answer)
    assert answer.text == "Yes"
    assert failure(response({"text": "Hmm", "thought": True})).kind == "empty"


def test_an_answer_that_was_cut_is_an_answer_that_says_so() -> None:
    answer = read_answer(response({"text": "Because"}, finish="MAX_TOKENS"), MODEL)
    assert isinstance(answer, Answer)
    assert (answer.text, answer.finish_reason) == ("Because", "MAX_TOKENS")


@pytest.mark.parametrize("reason", ["SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "JAILBREAK"])
def test_a_prompt_blocked_for_safety_is_not_asked_again(reason: str) -> None:
    failed = failure(
        GenerateContentResponse.model_validate(
            {"promptFeedback": {"blockReason": reason, "blockReasonMessage": "because of this"}}
        )
    )
    assert (failed.kind, failed.retryable) == ("blocked", False)
    assert failed.message == f"Gemini blocked the prompt: {reason} (because of this)"


def test_a_prompt_blocked_for_no_told_reason_is_asked_again() -> None:
    failed = failure(GenerateContentResponse.model_validate({"promptFeedback": {"blockReason": "OTHER"}}))
    assert (failed.kind, failed.retryable) == ("blocked", True)


@pytest.mark.parametrize(
    ("reason", "retryable"), [("SAFETY", False), ("SPII", False), ("RECITATION", True), ("OTHER", True)]
)
def test_an_answer_that_was_stopped_is_none_though_it_has_begun(reason: str, retryable: bool) -> None:  # noqa: FBT001
    failed = failure(response({"text": "The first step is"}, finish=reason))
    assert (failed.kind, failed.retryable) == ("blocked", retryable)
    assert failed.message == f"Gemini stopped its answer: {reason}"


@pytest.mark.filterwarnings("ignore:.*is not a valid FinishReason")
def test_a_reason_that_nobody_has_heard_of_yet_is_named() -> None:
    failed = failure(response({"text": "The"}, finish="SOLAR_FLARE"))
    assert (failed.kind, failed.retryable) == ("blocked", True)
    assert "SOLAR_FLARE" in failed.message


@pytest.mark.parametrize("parts", [[], [{"text": ""}], [{"text": " \n"}]])
def test_an_empty_answer_is_a_failure_that_may_pass(parts: list[dict[str, Any]]) -> None:
    failed = failure(response(*parts))
    assert (failed.kind, failed.retryable) == ("empty", True)
    assert "STOP" in failed.message


def test_an_answer_without_candidates_and_without_a_reason_is_empty() -> None:
    assert failure(GenerateContentResponse()).kind == "empty"
    assert failure(GenerateContentResponse.model_validate({"candidates": [], "promptFeedback": {}})).kind == "empty"


def test_thinking_that_used_up_all_tokens_says_what_to_change() -> None:
    failed = failure(response(finish="MAX_TOKENS"))
    assert (failed.kind, failed.retryable) == ("empty", False)
    assert "options.maxTokens" in failed.message
