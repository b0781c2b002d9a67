"""What a pool may be told, and what is said of what it may not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from edworkers.core.settings import (
    Autoscaling,
    Backoff,
    Circuit,
    JobPolicy,
    PoolSpec,
    Retention,
    Settings,
    Window,
    faults_of,
    in_short,
)

POOL: dict[str, Any] = {"queue": "ai", "handlers": "school.ai"}
DAY = {"name": "day", "limit": 10, "window": "day"}
MINUTE = {"name": "minute", "limit": 10, "window": "minute"}


def faults(model: type[BaseModel], fields: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(fields)
    return faults_of([(fault["loc"], fault["msg"]) for fault in caught.value.errors(include_url=False)])


# Sizes.


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (0, 0),
        (1048576, 1048576),
        ("0", 0),
        ("1048576", 1048576),
        ("1Ki", 1024),
        ("512Ki", 524288),
        ("256Mi", 268435456),
        ("3Gi", 3221225472),
        ("999999999999999", 999999999999999),
    ],
)
def test_a_size_is_written_as_in_kubernetes(written: str | int, size: int) -> None:
    assert Retention.model_validate({"maxBytes": written}).max_bytes == size


@pytest.mark.parametrize(
    "written", ["", " 1", "1 Mi", "1MB", "1M", "1mi", "1.5Gi", "-1", "+1", "1e3", "Mi", "1Ti", "1Mi\n", "٣", "9" * 16]
)
def test_a_size_that_is_none_is_refused_with_examples(written: str) -> None:
    assert faults(Retention, {"maxBytes": written}) == (
        "maxBytes: must be a number of bytes such as 1048576, 512Ki, 256Mi or 1Gi",
    )


@pytest.mark.parametrize("written", [-1, 1.5, None, [], {"Mi": 1}])
def test_a_size_of_another_kind_is_refused(written: object) -> None:
    [fault] = faults(Retention, {"maxBytes": written})
    assert fault.startswith("maxBytes: ")


@given(st.integers(0, 10**15 - 1), st.sampled_from([("", 1), ("Ki", 1024), ("Mi", 1024**2), ("Gi", 1024**3)]))
def test_every_whole_number_with_every_unit_is_a_size(number: int, unit: tuple[str, int]) -> None:
    assert Retention.model_validate({"maxBytes": f"{number}{unit[0]}"}).max_bytes == number * unit[1]


# Windows and time zones.


@pytest.mark.parametrize("zone", ["Etc/UTC", "UTC", "America/Los_Angeles", "Asia/Kathmandu"])
def test_a_window_begins_in_its_zone(zone: str) -> None:
    assert Window(name="day", limit=1, window="day", time_zone=zone).zone.key == zone


def test_a_window_without_a_zone_begins_in_that_of_the_servers() -> None:
    assert Window(name="day", limit=1, window="day").zone.key == "Etc/UTC"


@pytest.mark.parametrize(
    "zone", ["", "PST8", "Mars/Phobos", "america/los_angeles", "../etc/passwd", "America", "\x1b[2J"]
)
def test_an_unknown_zone_is_refused_with_examples_and_shown_harmlessly(zone: str) -> None:
    [fault] = faults(Window, {**DAY, "timeZone": zone})
    assert fault == f"timeZone: {zone!r} is not a time zone; take a name such as America/Los_Angeles or Etc/UTC"
    assert fault.isprintable()


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("name", "Day"), ("name", "a b"), ("name", "a" * 32), ("limit", 0), ("window", "hour")],
)
def test_a_window_that_cannot_be_kept_is_refused(field: str, value: object) -> None:
    [fault] = faults(Window, {**DAY, field: value})
    assert fault.startswith(f"{field}: ")


# The parts together.


def test_the_least_that_a_pool_needs_is_its_queue_and_its_handlers() -> None:
    pool = PoolSpec.model_validate(POOL)
    assert (pool.concurrency, pool.limits, pool.autoscaling, pool.replicas, pool.suspend) == (1, (), None, None, False)
    assert (pool.job, pool.retention) == (JobPolicy(), Retention())
    assert faults(PoolSpec, {}) == ("queue: Field required", "handlers: Field required")


@pytest.mark.parametrize("numbers", [{"autoscaling": {}}, {"replicas": 0}, {"replicas": 3, "autoscaling": None}, {}])
def test_a_pool_has_replicas_or_autoscaling_or_neither(numbers: dict[str, Any]) -> None:
    assert PoolSpec.model_validate({**POOL, **numbers}).queue == "ai"


def test_a_pool_does_not_have_both() -> None:
    assert faults(PoolSpec, {**POOL, "replicas": 0, "autoscaling": {}}) == (
        "replicas: give replicas or autoscaling, not both",
    )


@pytest.mark.parametrize(("least", "most"), [(0, 1), (1, 1), (3, 20)])
def test_the_least_replicas_may_equal_the_most(least: int, most: int) -> None:
    scaling = Autoscaling.model_validate({"minReplicas": least, "maxReplicas": most})
    assert (scaling.min_replicas, scaling.max_replicas) == (least, most)


@pytest.mark.parametrize(
    ("numbers", "most"),
    [
        ({"minReplicas": 5, "maxReplicas": 4}, 4),
        ({"maxReplicas": 4, "minReplicas": 5}, 4),
        ({"minReplicas": 11}, 10),
    ],
)
def test_the_least_replicas_may_not_exceed_the_most_be_it_given_or_not(numbers: dict[str, int], most: int) -> None:
    assert faults(Autoscaling, numbers) == (f"minReplicas: {numbers['minReplicas']} is above maxReplicas {most}",)


def test_the_least_replicas_are_not_held_against_a_most_that_is_none() -> None:
    [fault] = faults(Autoscaling, {"minReplicas": 5, "maxReplicas": "many"})
    assert fault.startswith("maxReplicas: ")


def test_limits_have_names_of_their_own_and_one_is_for_a_minute() -> None:
    assert len(PoolSpec.model_validate({**POOL, "limits": [MINUTE, DAY, {**DAY, "name": "other"}]}).limits) == 3
    assert faults(PoolSpec, {**POOL, "limits": [DAY, DAY]}) == ("limits: each of the limits needs a name of its own",)
    assert faults(PoolSpec, {**POOL, "limits": [MINUTE, {**MINUTE, "name": "other"}]}) == (
        "limits: only one of the limits that count the same may be for a minute",
    )
    both = "each of the limits needs a name of its own; only one of the limits that count the same may be for a minute"
    assert faults(PoolSpec, {**POOL, "limits": [MINUTE, MINUTE]}) == (f"limits: {both}",)


def test_jobs_and_tokens_of_the_queue_and_of_groups_may_each_have_a_limit_for_a_minute() -> None:
    each = [{"counts": counts, "per": per} for counts in ("jobs", "tokens") for per in ("queue", "group")]
    limits = [{**MINUTE, "name": f"limit{number}", **of} for number, of in enumerate(each)]
    assert len(PoolSpec.model_validate({**POOL, "groups": {}, "limits": limits}).limits) == 4


def test_a_limit_says_in_words_what_it_allows() -> None:
    assert Window.model_validate(MINUTE).in_words == f"{MINUTE['limit']} jobs a minute"
    tokens = Window.model_validate({**DAY, "limit": 9, "counts": "tokens", "per": "group"})
    assert tokens.in_words == "9 tokens a day for each group"


@pytest.mark.parametrize(
    ("circuit", "fault"),
    [
        ({"openSeconds": 901}, "maxOpenSeconds 900 is below openSeconds 901"),
        ({"maxOpenSeconds": 29}, "maxOpenSeconds 29 is below openSeconds 30"),
    ],
)
def test_a_circuit_is_not_open_for_longer_than_it_may_be_at_most(circuit: dict[str, int], fault: str) -> None:
    assert faults(PoolSpec, {**POOL, "groups": {"circuit": circuit}}) == (f"groups.circuit: {fault}",)


def test_a_circuit_has_defaults() -> None:
    read = PoolSpec.model_validate({**POOL, "groups": {"circuit": {}}}).groups
    assert read is not None
    assert read.circuit == Circuit(failures=5, open_seconds=30, max_open_seconds=900)


def test_a_limit_per_group_needs_groups() -> None:
    limits = [{**DAY, "per": "group"}]
    assert faults(PoolSpec, {**POOL, "limits": limits}) == (
        "groups: has to be given, be it as {}, where one of the limits is per group",
    )
    assert PoolSpec.model_validate({**POOL, "limits": limits, "groups": {}}).groups is not None


def test_nine_limits_are_too_many() -> None:
    [fault] = faults(PoolSpec, {**POOL, "limits": [{**DAY, "name": f"day{number}"} for number in range(9)]})
    assert fault.startswith("limits: ")


def test_every_fault_of_a_pool_is_named_at_once_those_between_fields_too() -> None:
    found = faults(
        PoolSpec,
        {
            "queue": "AI",
            "handlers": "school ai",
            "concurrency": 0,
            "concurency": 3,
            "replicas": 1,
            "autoscaling": {"minReplicas": 2, "targetPerReplica": 0},
            "limits": [DAY, DAY],
            "job": {"maxAttempts": 0, "timeoutSeconds": -1, "backoff": {"factor": 0.5, "jitter": 2}},
            "retention": {"maxBytes": "1MB", "deadSeconds": 0},
            "leaseSeconds": 0.1,
        },
    )
    assert sorted(fault.partition(": ")[0] for fault in found) == [
        "autoscaling.targetPerReplica",
        "concurency",
        "concurrency",
        "handlers",
        "job.backoff.factor",
        "job.backoff.jitter",
        "job.maxAttempts",
        "job.timeoutSeconds",
        "leaseSeconds",
        "limits",
        "queue",
        "retention.deadSeconds",
        "retention.maxBytes",
    ]


def test_both_replicas_and_autoscaling_are_a_fault_beside_others() -> None:
    found = faults(PoolSpec, {**POOL, "concurrency": 0, "replicas": 1, "autoscaling": {"minReplicas": 1}})
    assert [fault.partition(": ")[0] for fault in found] == ["concurrency", "replicas"]


@pytest.mark.parametrize("queue", ["", "AI", "a_b", "a}", "1", "ai\n", "a" * 42])
def test_a_queue_that_would_be_no_key_is_refused(queue: str) -> None:
    [fault] = faults(PoolSpec, {**POOL, "queue": queue})
    assert fault.startswith("queue: ")


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    ("model", "field"), [(JobPolicy, "timeoutSeconds"), (Backoff, "maxSeconds"), (Backoff, "jitter")]
)
def test_no_time_is_endless_or_no_number(model: type[Settings], field: str, seconds: float) -> None:
    [fault] = faults(model, {field: seconds})
    assert fault.startswith(f"{field}: ")


@pytest.mark.parametrize("model", [PoolSpec, Autoscaling, Backoff, JobPolicy, Retention, Window])
def test_a_name_that_nothing_has_is_refused_everywhere(model: type[Settings]) -> None:
    assert "colour: Extra inputs are not permitted" in faults(model, {"colour": "red"})


def test_settings_do_not_change_once_made() -> None:
    pool = PoolSpec.model_validate(POOL)
    with pytest.raises(ValidationError, match="frozen"):
        pool.concurrency = 2  # type: ignore[misc]


# Faults as they are shown.


@pytest.mark.parametrize(
    ("place", "message", "fault"),
    [
        ((), "must be an object", "must be an object"),
        (("job",), "is wrong", "job: is wrong"),
        (("limits", 0, "timeZone"), "is wrong", "limits.0.timeZone: is wrong"),
        (("a",), "Value error, give one", "a: give one"),
        (("a",), "no Value error, really", "a: no Value error, really"),
    ],
)
def test_a_fault_is_its_place_and_what_is_wrong_there(place: tuple[int | str, ...], message: str, fault: str) -> None:
    assert faults_of([(place, message)]) == (fault,)


@pytest.mark.parametrize(
    ("count", "shown", "last"),
    [(1, 1, "f0: wrong"), (50, 50, "f49: wrong"), (51, 51, "and 1 more faults"), (10_000, 51, "and 9950 more faults")],
)
def test_beyond_fifty_faults_are_only_counted(count: int, shown: int, last: str) -> None:
    found = faults_of([((f"f{number}",), "wrong") for number in range(count)])
    assert (len(found), found[-1]) == (shown, last)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("runAt", "runAt"),
        ("größe", "größe"),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 60 + "…"),
        ("a\x1b[2J", r"'a\x1b[2J'"),
        ("a\nb", r"'a\nb'"),
        ("\u202egnp.exe", r"'\u202egnp.exe'"),
        ("", ""),
    ],
)
def test_a_strangers_name_is_shown_in_short_and_harmlessly(name: str, shown: str) -> None:
    assert in_short(name) == shown


@given(st.lists(st.text(max_size=100), max_size=3).map(tuple))
def test_a_fault_is_one_printable_line_of_bounded_length_whatever_the_names(place: tuple[str, ...]) -> None:
    [fault] = faults_of([(place, "wrong")])
    assert fault.isprintable()
    assert len(fault) <= len(place) * 800 + 10
