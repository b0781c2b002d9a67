"""What Gemini's errors come to."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.outcome import Deferred, Failed
from edworkers.handlers.ai.errors import LONGEST_SECONDS, judge_error, operators_mistake, read_error

MODEL = "gemini-2.5-flash"
RPC = "type.googleapis.com/google.rpc."

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["error", "details", "message", "status", "@type", "retryDelay", "violations", "reason"])
            | st.text(),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


def body(message: str = "", status: str = "", *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": 0, "message": message, "status": status, "details": list(details)}}


def retry_info(delay: Any) -> dict[str, Any]:
    return {"@type": f"{RPC}RetryInfo", "retryDelay": delay}


def quota(*names: str) -> dict[str, Any]:
    return {"@type": f"{RPC}QuotaFailure", "violations": [{"quotaId": name} for name in names]}


def error_info(reason: str) -> dict[str, Any]:
    return {"@type": f"{RPC}ErrorInfo", "reason": reason}


def judged(code: int, document: Any) -> Failed | Deferred:
    return judge_error(read_error(code, document))


def mistake(code: int, document: Any, *, own_model: bool = False) -> str | None:
    return operators_mistake(read_error(code, document), model=MODEL, own_model=own_model)


def test_a_used_up_quota_puts_everyone_off_for_as_long_as_the_service_says() -> None:
    outcome = judged(429, body("Slow down", "RESOURCE_EXHAUSTED", quota("PerMinute"), retry_info("2.5s")))
    assert isinstance(outcome, Deferred)
    assert (outcome.seconds, outcome.close_gate) == (2.5, True)
    assert "PerMinute" in outcome.reason
    assert "Slow down" in outcome.reason


def test_a_used_up_day_obeys_the_service_too() -> None:
    outcome = judged(429, body("", "", quota("GenerateRequestsPerDayPerProject"), retry_info("40s")))
    assert isinstance(outcome, Deferred)
    assert outcome.seconds == 40


def test_a_used_up_quota_without_a_time_puts_everyone_off_for_a_minute() -> None:
    assert isinstance(outcome := judged(429, body("Slow down")), Deferred)
    assert (outcome.seconds, outcome.close_gate) == (60, True)


def test_an_overloaded_service_that_names_a_time_puts_everyone_off() -> None:
    assert isinstance(outcome := judged(503, body("Overloaded", "UNAVAILABLE", retry_info("7s"))), Deferred)
    assert (outcome.seconds, outcome.close_gate) == (7, True)


def test_an_overloaded_service_that_names_none_is_a_failed_attempt() -> None:
    outcome = judged(503, body("The model is overloaded.", "UNAVAILABLE"))
    assert outcome == Failed("unavailable", "Gemini failed: 503 UNAVAILABLE: The model is overloaded.")


@pytest.mark.parametrize("code", [408, 500, 502, 504, 302, 599])
def test_other_faults_of_the_service_are_failed_attempts(code: int) -> None:
    assert isinstance(outcome := judged(code, body("Oh", "INTERNAL", retry_info("3s"))), Failed)
    assert (outcome.kind, outcome.retryable, outcome.after_seconds) == ("unavailable", True, 3)


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [("0s", 1), ("0.3s", 1), ("59.999999999s", 59.999999999), ("999999999s", LONGEST_SECONDS), ("1.5s", 1.5)],
)
def test_a_time_to_wait_is_kept_within_reason(delay: str, seconds: float) -> None:
    assert isinstance(outcome := judged(429, body("", "", retry_info(delay))), Deferred)
    assert outcome.seconds == seconds


@pytest.mark.parametrize("delay", ["-3s", "5", "soon", "", "1e9s", "infs", "9" * 5000 + "s", None, 5, {"seconds": 5}])
def test_a_time_to_wait_that_is_none_is_as_if_it_were_not_there(delay: Any) -> None:
    assert isinstance(outcome := judged(429, body("", "", retry_info(delay))), Deferred)
    assert outcome.seconds == 60


def test_a_request_that_is_wrong_is_buried_with_the_services_words() -> None:
    outcome = judged(400, body("max_output_tokens must be positive.", "INVALID_ARGUMENT"))
    assert isinstance(outcome, Failed)
    assert not outcome.retryable
    assert outcome.message == "Gemini refuses this job: 400 INVALID_ARGUMENT: max_output_tokens must be positive."
    assert mistake(400, body("max_output_tokens must be positive.", "INVALID_ARGUMENT")) is None


@pytest.mark.parametrize(
    ("code", "document"),
    [
        (400, body("API key not valid.", "INVALID_ARGUMENT", error_info("API_KEY_INVALID"))),
        (400, body("Not offered in your country. Enable billing.", "FAILED_PRECONDITION")),
        (401, body("Unauthenticated", "UNAUTHENTICATED")),
        (403, body("Your API key was reported as leaked.", "PERMISSION_DENIED")),
        (403, body("The Gemini API is disabled", "PERMISSION_DENIED", error_info("SERVICE_DISABLED"))),
    ],
)
@pytest.mark.parametrize("own_model", [True, False])
def test_a_refused_key_is_the_operators_mistake_and_says_which_variable_to_set(
    code: int,
    document: Any,
    own_model: bool,  # noqa: FBT001
) -> None:
    told = mistake(code, document, own_model=own_model)
    assert told is not None
    assert "GEMINI_API_KEY" in told
    assert document["error"]["message"] in told


def test_a_forbidden_model_is_the_fault_of_whoever_chose_it() -> None:
    document = body("You do not have permission to access tuned model x.", "PERMISSION_DENIED")
    assert mistake(403, document, own_model=True) is None
    assert "GEMINI_API_KEY" in (mistake(403, document) or "")
    assert isinstance(outcome := judged(403, document), Failed)
    assert not outcome.retryable


def test_an_unknown_model_is_the_fault_of_whoever_chose_it() -> None:
    document = body("models/gemini-0 is not found", "NOT_FOUND")
    assert mistake(404, document, own_model=True) is None
    told = mistake(404, document) or ""
    assert "GEMINI_MODEL" in told
    assert MODEL in told


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_fault_of_the_service_is_no_mistake_of_the_operator(code: int) -> None:
    assert mistake(code, body("API key quota exceeded", "X", error_info("RATE_LIMIT_EXCEEDED"))) is None


def test_a_page_of_html_in_place_of_an_error_is_told_on_one_short_line() -> None:
    page = "<html>\n" + "<p>Bad gateway</p>\n" * 1000
    outcome = judged(502, {"message": page, "status": "Bad Gateway"})
    assert isinstance(outcome, Failed)
    assert "\n" not in outcome.message
    assert outcome.message.startswith("Gemini failed: 502 Bad Gateway: <html> <p>Bad gateway</p>")
    assert len(outcome.message) < 600


@given(st.integers(300, 599), json_values)
def test_any_body_whatever_comes_to_something(code: int, document: Any) -> None:
    outcome = judged(code, document)
    assert len(outcome.message if isinstance(outcome, Failed) else outcome.reason) < 2000
    mistake(code, document)
