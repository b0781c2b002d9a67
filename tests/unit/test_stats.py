"""A runner's figures, as Prometheus reads them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from edworkers.adapters.health import StatsCollector
from edworkers.core.stats import ATTEMPT_BOUNDS, LATENCY_BOUNDS, Histogram, Stats

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


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
    assert histogram.cumulative() == [("0.1", 1), ("1.0", 3), ("10.0", 3), ("+Inf", 4)]
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
        stats.attempt.add(seconds)
    samples = scraped(stats)
    for bound in ATTEMPT_BOUNDS:
        expected = sum(seconds <= bound for seconds in observed)
        assert value(samples, "edworkers_attempt_seconds_bucket", queue="ai", le=str(bound)) == expected
    assert value(samples, "edworkers_attempt_seconds_bucket", queue="ai", le="+Inf") == len(observed)
    assert value(samples, "edworkers_attempt_seconds_count", queue="ai") == len(observed)
    assert value(samples, "edworkers_attempt_seconds_sum", queue="ai") == pytest.approx(sum(observed))


def test_prometheus_reads_every_figure_with_its_queue() -> None:
    stats = Stats("webhook", claimed=7, cycles=5, lease_losses=1)
    stats.settled.update({"ack": 4, "retry": 2})
    stats.latency.add(3)
    samples = scraped(stats, running=3)
    assert value(samples, "edworkers_jobs_claimed_total", queue="webhook") == 7
    assert value(samples, "edworkers_queue_calls_total", queue="webhook") == 5
    assert value(samples, "edworkers_lease_losses_total", queue="webhook") == 1
    assert value(samples, "edworkers_jobs_settled_total", queue="webhook", verb="ack") == 4
    assert value(samples, "edworkers_jobs_settled_total", queue="webhook", verb="retry") == 2
    assert value(samples, "edworkers_jobs_running", queue="webhook") == 3
    assert value(samples, "edworkers_queue_latency_seconds_bucket", queue="webhook", le="1.0") == 0
    assert value(samples, "edworkers_queue_latency_seconds_bucket", queue="webhook", le="5.0") == 1


def test_a_runner_that_did_nothing_yet_has_figures_of_nought() -> None:
    samples = scraped(Stats("ai"))
    assert value(samples, "edworkers_jobs_claimed_total", queue="ai") == 0
    assert set(samples.values()) == {0}


def test_what_two_runners_count_is_counted_apart() -> None:
    one, other = Stats("ai"), Stats("ai")
    one.settled["ack"] += 1
    one.attempt.add(1)
    assert (other.settled, other.attempt.counts) == ({}, [0] * (len(ATTEMPT_BOUNDS) + 1))
