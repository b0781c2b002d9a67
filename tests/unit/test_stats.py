"""A runner's figures, as Prometheus reads them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from edworkers.adapters.metrics.exposition import Exposition
from edworkers.adapters.metrics.of_runner import StatsCollector
from edworkers.core.stats import ATTEMPT_BOUNDS, LATENCY_BOUNDS, Histogram, Stats

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def exposed(stats: Stats, accept: str) -> bytes:
    text, content_type = Exposition([StatsCollector(stats, lambda: 0)]).text(accept)
    assert content_type.startswith(accept.split(";", maxsplit=1)[0])
    return text


def scraped(stats: Stats, running: int = 0) -> Samples:
    registry = CollectorRegistry()
    registry.register(StatsCollector(stats, lambda: running))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


def test_an_observation_counts_in_its_bucket_and_in_every_larger_one() -> None:
    histogram = Histogram((0.1, 1.0, 10.0))
    for seconds in (0.05, 0.5, 0.6, 100):
        histogram.add(seconds)
    assert histogram.cumulative() == [("0.1", 1, None), ("1.0", 3, None), ("10.0", 3, None), ("+Inf", 4, None)]
    assert histogram.total == pytest.approx(101.15)


@pytest.mark.parametrize(("seconds", "bucket"), [(0, 0), (0.1, 0), (0.1000001, 1), (1.0, 1), (10.0, 2), (10.1, 3)])
def test_a_bound_belongs_to_its_bucket(seconds: float, bucket: int) -> None:
    histogram = Histogram((0.1, 1.0, 10.0))
    histogram.add(seconds)
    assert histogram.counts == [int(place == bucket) for place in range(4)]


@pytest.mark.parametrize("bounds", [ATTEMPT_BOUNDS, LATENCY_BOUNDS])
def test_the_bounds_grow(bounds: tuple[float, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))


@settings(max_examples=20)  # each is a whole scrape
@given(st.lists(st.floats(0, 1e6), max_size=30))
def test_prometheus_reads_the_histogram_that_was_counted(observed: list[float]) -> None:
    stats = Stats("ai")
    for seconds in observed:
        stats.of(None).attempt.add(seconds)
    samples = scraped(stats)
    for bound in ATTEMPT_BOUNDS:
        expected = sum(seconds <= bound for seconds in observed)
        assert (
            value(samples, "edworkers_attempt_duration_seconds_bucket", queue="ai", type="", le=str(bound)) == expected
        )
    assert value(samples, "edworkers_attempt_duration_seconds_bucket", queue="ai", type="", le="+Inf") == len(observed)
    assert value(samples, "edworkers_attempt_duration_seconds_count", queue="ai", type="") == len(observed)
    assert value(samples, "edworkers_attempt_duration_seconds_sum", queue="ai", type="") == pytest.approx(sum(observed))


def test_prometheus_reads_every_figure_with_its_queue() -> None:
    stats = Stats("webhook", slots=10, claimed=7, cycles=5, lease_losses=1)
    stats.of(None).settled.update({"ack": 4, "retry": 2})
    stats.of(None).latency.add(3)
    samples = scraped(stats, running=3)
    assert value(samples, "edworkers_jobs_claimed_total", queue="webhook") == 7
    assert value(samples, "edworkers_queue_calls_total", queue="webhook") == 5
    assert value(samples, "edworkers_lease_losses_total", queue="webhook") == 1
    assert value(samples, "edworkers_jobs_settled_total", queue="webhook", type="", verb="ack") == 4
    assert value(samples, "edworkers_jobs_settled_total", queue="webhook", type="", verb="retry") == 2
    assert value(samples, "edworkers_jobs_running", queue="webhook") == 3
    assert value(samples, "edworkers_job_slots", queue="webhook") == 10
    assert value(samples, "edworkers_queue_latency_seconds_bucket", queue="webhook", type="", le="1.0") == 0
    assert value(samples, "edworkers_queue_latency_seconds_bucket", queue="webhook", type="", le="5.0") == 1


def test_a_runner_that_did_nothing_yet_has_figures_of_nought() -> None:
    samples = scraped(Stats("ai"))
    assert value(samples, "edworkers_jobs_claimed_total", queue="ai") == 0
    assert set(samples.values()) == {0}


def test_what_two_runners_count_is_counted_apart() -> None:
    one, other = Stats("ai"), Stats("ai")
    one.of(None).settled["ack"] += 1
    one.of(None).attempt.add(1)
    assert (other.settled, other.of(None).attempt.counts) == ({}, [0] * (len(ATTEMPT_BOUNDS) + 1))


def test_jobs_are_told_apart_by_type_for_as_many_types_as_there_are_handlers() -> None:
    stats = Stats.of_types("scheduled", ["report", None, "backup"])
    for job_type in ("report", "report", "backup", "made-up", None):
        stats.of(job_type).settled["ack"] += 1
    samples = scraped(stats)
    counted = {"report": 2.0, "backup": 1.0, "": 2.0}
    for job_type, count in counted.items():
        labels = {"queue": "scheduled", "type": job_type, "verb": "ack"}
        assert value(samples, "edworkers_jobs_settled_total", **labels) == count
    assert {dict(labels).get("type") for name, labels in samples if name == "edworkers_jobs_settled_total"} == {
        *counted
    }
    assert stats.settled == {"ack": 5}


TRACED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def exemplars(stats: Stats) -> dict[str, dict[str, str]]:
    families = openmetrics.text_string_to_metric_families(exposed(stats, OPENMETRICS).decode())  # type: ignore[no-untyped-call]
    return {
        sample.labels["le"]: sample.exemplar.labels
        for family in families
        for sample in family.samples
        if sample.exemplar is not None
    }


def test_the_latest_trace_of_a_bucket_is_its_exemplar_in_the_openmetrics_format() -> None:
    stats = Stats("ai")
    stats.of(None).attempt.add(0.2, TRACED.replace("4bf92f", "aaaaaa"))
    stats.of(None).attempt.add(0.2, TRACED)
    stats.of(None).attempt.add(0.2)
    assert exemplars(stats) == {"0.25": {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}}
    assert b"trace_id" not in exposed(stats, "text/plain")


@pytest.mark.parametrize(
    "traceparent",
    [TRACED[:-1] + "0", "", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", TRACED.replace("00f067aa0ba902b7", "0" * 16)],
)
def test_a_trace_that_is_not_kept_or_is_none_is_no_exemplar(traceparent: str) -> None:
    stats = Stats("ai")
    stats.of(None).attempt.add(0.2, traceparent)
    assert exemplars(stats) == {}
