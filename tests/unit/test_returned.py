"""What a handler returns or raises, as an outcome."""

from typing import NoReturn

import pytest
from pydantic import BaseModel, Field

from edworkers.core.outcome import Cancelled, Deferred, Done, Failed, Outcome, Rejected, Released
from edworkers.core.returned import failure_of, in_words, outcome_of, unusable


class Answer(BaseModel):
    text_length: int = Field(default=3, serialization_alias="textLength")


class _UnprintableError(Exception):
    def __str__(self) -> NoReturn:
        raise ValueError("this error can't even be told")


@pytest.mark.parametrize(
    "outcome", [Done(1), Failed("Boom", "no luck"), Deferred(1, "later"), Rejected(("a",)), Cancelled(), Released()]
)
def test_an_outcome_is_taken_as_it_is(outcome: Outcome) -> None:
    assert outcome_of(outcome) is outcome


def test_anything_else_is_the_result_of_work_that_is_done() -> None:
    assert outcome_of(None) == Done()
    assert outcome_of({"a": 1}) == Done({"a": 1})
    assert outcome_of(Answer()) == Done({"textLength": 3})


def test_what_cant_be_kept_is_a_failure_for_good() -> None:
    outcome = outcome_of(object())
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("result", False)


def test_what_a_handler_raises_is_a_failure_with_its_kind_its_words_and_its_place() -> None:
    def handle() -> None:
        raise LookupError("nowhere")

    with pytest.raises(LookupError) as raised:
        handle()
    failure = failure_of(raised.value)
    assert (failure.kind, failure.message, failure.retryable) == ("LookupError", "nowhere", True)
    assert failure.traceback is not None
    assert 'raise LookupError("nowhere")' in failure.traceback


def test_an_error_without_words_or_that_fails_to_tell_them_gives_its_name() -> None:
    assert in_words(LookupError()) == "LookupError"
    assert in_words(_UnprintableError()) == "_UnprintableError"


def test_an_outcome_that_cant_be_used_is_a_failure_for_good() -> None:
    assert unusable(Done(), TypeError("no number")) == Failed(
        "outcome", "the handler's outcome Done can't be used: no number", retryable=False
    )
