"""Writes the reference of metrics from their table."""

from collections.abc import Iterable
from typing import get_args

from edworkers.core.metric_names import METRICS, Metric, Process

_HEAD = """# Metrics

Every metric of edworkers, by the process that tells it. [docs/metrics.md](../metrics.md) says how to scrape them and
what to make of them.

This page is generated from `edworkers/core/metric_names.py`: change it there, then run `make generate`.

Beside these, each process tells Python's usual `process_*` and `python_gc_*`. An exemplar gives the trace of one
observation of a bucket (`trace_id`), where a scrape asks for the OpenMetrics format.
"""
_PROCESSES = {
    "runner": "Of a runner: `edworkers run`, or a pod of a WorkerPool.",
    "keeper": "Of the keeper: `edworkers keeper`.",
    "server": "Of the server: `edworkers server`.",
    "operator": "Of the operator.",
}


def metrics_reference() -> str:
    """Give the page."""
    parts = [_HEAD]
    for process in get_args(Process):
        parts += [f"## {process}\n", f"{_PROCESSES[process]}\n", _table(m for m in METRICS if process in m.told_by)]
    return "\n".join(parts)


def _table(metrics: Iterable[Metric]) -> str:
    rows = ["| metric | type | labels | |", "|---|---|---|---|", *map(_row, metrics)]
    return "\n".join(rows) + "\n"


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    more = "; has exemplars" if metric.exemplars else ""
    return f"| `{metric.name}` | {metric.type}{more} | {labels} | {metric.help} |"
