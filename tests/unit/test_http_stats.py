"""What a server tells Prometheus of its requests."""

from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edworkers.adapters.metrics.exposition import Exposition
from edworkers.adapters.metrics.of_server import HttpCollector
from edworkers.core.http_stats import HttpStats


def samples(stats: HttpStats) -> Iterator[tuple[str, dict[str, str], float]]:
    text, _ = Exposition([HttpCollector(stats)]).text(None)
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def counts(stats: HttpStats) -> dict[tuple[str, str, str], float]:
    return {
        (labels["method"], labels["route"], labels["status"]): value
        for name, labels, value in samples(stats)
        if name == "edworkers_http_request_duration_seconds_count"
    }


def test_requests_are_counted_by_method_route_and_class_of_status() -> None:
    stats = HttpStats()
    for status in (202, 202, 422):
        stats.observe("POST", "/v1/queues/{queue}/jobs", status, 0.004)
    route = "/v1/queues/{queue}/jobs"
    assert counts(stats) == {("POST", route, "2xx"): 2, ("POST", route, "4xx"): 1}


def test_what_a_stranger_makes_up_adds_no_series() -> None:
    stats = HttpStats()
    for number in range(50):
        stats.observe(f"BREW{number}", None, 404, 0.001)
    assert counts(stats) == {("other", "unknown", "4xx"): 50}


def test_there_are_no_more_than_so_many_series_whatever_the_routes_are() -> None:
    stats = HttpStats()
    for number in range(1500):
        stats.observe("GET", f"/{number}", 200, 0.001)
    assert len(stats.durations) == 1001
    assert counts(stats)["other", "unknown", "2xx"] == 500


def test_requests_are_counted_while_they_last() -> None:
    stats = HttpStats()
    with stats.answering():
        assert ("edworkers_http_requests_active", {}, 1) in samples(stats)
    with pytest.raises(ConnectionError), stats.answering():
        raise ConnectionError
    assert ("edworkers_http_requests_active", {}, 0) in samples(stats)


def test_the_trace_of_a_request_is_the_exemplar_of_its_bucket() -> None:
    stats = HttpStats()
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    stats.observe("GET", "/v1/queues", 200, 0.004, f"00-{trace}-00f067aa0ba902b7-01", 1_700_000_000.0)
    text, _ = Exposition([HttpCollector(stats)]).text("application/openmetrics-text; version=1.0.0")
    exemplar = f'# {{trace_id="{trace}"}} 0.004 1700000000.0'
    [line] = [line for line in text.decode().splitlines() if exemplar in line]
    assert 'le="0.005"' in line
