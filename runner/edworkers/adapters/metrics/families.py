"""From the table of metrics and what was counted to families of samples."""

from collections.abc import Iterable, Sequence

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Exemplar as PrometheusExemplar

from edworkers.core.metric_names import Metric
from edworkers.core.stats import Exemplar, Histogram

Labels = Sequence[str]


def counter(metric: Metric, rows: Iterable[tuple[Labels, float]]) -> Family:
    """Tell counts, each with the values of its labels."""
    family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in rows:
        family.add_metric(labels, value)
    return family


def gauge(metric: Metric, rows: Iterable[tuple[Labels, float]]) -> Family:
    """Tell how much there is, each with the values of its labels."""
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in rows:
        family.add_metric(labels, value)
    return family


def histogram(metric: Metric, rows: Iterable[tuple[Labels, Histogram]]) -> Family:
    """Tell distributions, each with the values of its labels."""
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, counted in rows:
        family.add_metric(labels, [_bucket(*found) for found in counted.cumulative()], counted.total)
    return family


def _bucket(
    bound: str, count: float, found: Exemplar | None
) -> tuple[str, float] | tuple[str, float, PrometheusExemplar]:
    if found is None:
        return bound, count
    return bound, count, PrometheusExemplar({"trace_id": found.trace_id}, found.seconds, found.at or None)
