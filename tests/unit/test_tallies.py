"""What handlers count in their process."""

from edworkers.core.metric_names import AI_TOKENS, WEBHOOK_ANSWERS
from edworkers.core.tallies import Tallies


def test_what_was_counted_is_told_by_its_labels() -> None:
    tallies = Tallies()
    tallies.add(AI_TOKENS, ("gemini", "prompt"), 12)
    tallies.add(AI_TOKENS, ("gemini", "answer"), 30)
    tallies.add(AI_TOKENS, ("gemini", "prompt"), 1)
    assert tallies.of(AI_TOKENS) == {("gemini", "prompt"): 13, ("gemini", "answer"): 30}
    assert tallies.of(WEBHOOK_ANSWERS) == {}


def test_a_series_that_is_declared_is_nought_until_something_is_counted() -> None:
    tallies = Tallies()
    tallies.add(WEBHOOK_ANSWERS, ("5xx",))
    tallies.declare(WEBHOOK_ANSWERS, [("2xx",), ("5xx",)])
    assert tallies.of(WEBHOOK_ANSWERS) == {("2xx",): 0, ("5xx",): 1}


def test_names_from_outside_make_no_more_than_so_many_series() -> None:
    tallies = Tallies()
    for number in range(200):
        tallies.add(AI_TOKENS, (f"model-{number}", "prompt"))
    counted = tallies.of(AI_TOKENS)
    assert len(counted) == 51
    assert sum(counted.values()) == 200
    assert counted["other", "other"] == 150


def test_what_a_process_of_its_own_counted_is_added_to_its_runners() -> None:
    own, runner = Tallies(), Tallies()
    own.declare(WEBHOOK_ANSWERS, [("2xx",)])
    own.add(AI_TOKENS, ("gemini", "prompt"), 12)
    runner.add(AI_TOKENS, ("gemini", "prompt"), 1)
    runner.merge(own.take())
    assert runner.of(AI_TOKENS) == {("gemini", "prompt"): 13}
    assert runner.of(WEBHOOK_ANSWERS) == {}
    assert own.take() == []
