"""All the rules: what must be true of every history, whatever was killed when."""

from collections.abc import Callable, Iterator

from tests.chaos import end_rules, lease_rules
from tests.chaos.promise import Run, Violation

RULES: tuple[Callable[[Run], Iterator[Violation]], ...] = (
    end_rules.every_job_comes_to_an_end,
    end_rules.nothing_is_left_behind,
    end_rules.each_job_ends_once,
    end_rules.each_job_ends_as_it_must,
    end_rules.follow_ups_come_exactly_once,
    end_rules.unique_keys_are_held_by_one,
    end_rules.nothing_begins_too_early,
    lease_rules.no_job_is_held_twice,
    lease_rules.only_the_holder_is_let_begin,
    lease_rules.no_lease_is_cut_short,
    lease_rules.two_handlers_only_after_a_lease_ended,
    lease_rules.attempts_are_bounded,
    lease_rules.late_settlements_are_refused,
    lease_rules.each_result_is_a_handlers,
    lease_rules.no_group_runs_more_than_it_may,
    lease_rules.handlers_know_only_real_deliveries,
)


def check(run: Run) -> list[Violation]:
    """Hold a run against every rule."""
    return [violation for rule in RULES for violation in rule(run)]
