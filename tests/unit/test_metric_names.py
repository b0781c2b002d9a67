"""The table of metrics keeps to Prometheus' conventions, and its reference tells all of it."""

import re

import pytest

from edworkers.core.metric_names import METRICS, Metric
from edworkers.core.metric_reference import metrics_reference


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_name_says_what_is_counted_in_which_unit(metric: Metric) -> None:
    assert re.fullmatch(r"edworkers_[a-z]+(_[a-z]+)*", metric.name)
    assert metric.name.endswith("_total") == (metric.type == "counter")
    if metric.type == "histogram":
        assert metric.name.endswith("_seconds")
    for unit in ("milliseconds", "minutes", "kilobytes", "percent"):
        assert unit not in metric.name


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_only_a_histogram_has_bounds_which_grow(metric: Metric) -> None:
    assert bool(metric.bounds) == (metric.type == "histogram")
    assert list(metric.bounds) == sorted(set(metric.bounds))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_labels_are_few_and_told_apart(metric: Metric) -> None:
    assert len(set(metric.labels)) == len(metric.labels) <= 4
    assert not {"le", "job", "instance"} & set(metric.labels)  # Prometheus' own


def test_no_name_is_given_twice() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_the_reference_names_every_metric_for_each_process_that_tells_it() -> None:
    page = metrics_reference()
    for metric in METRICS:
        assert page.count(f"| `{metric.name}` |") == len(metric.told_by) > 0
        assert metric.help in page
