"""What the dashboards and alerts ask of Prometheus: their queries, and the metrics and labels that these name."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.monitoring.foreign import FOREIGN
from tests.monitoring.promtool import ROOT, alerts

from edworkers.core.metric_names import METRICS

DASHBOARDS = sorted((ROOT / "charts" / "dashboards").glob("*.json"))
OF_TARGETS = {"namespace", "pod", "instance", "job"}
"""Labels that Prometheus gives to whatever it scrapes."""

_NAME = re.compile(r"\b(?:(?:edworkers|keda|kube|redis)_\w+|ALERTS\b)")
_SELECTOR = re.compile(r"\b(\w+)\{([^}]*)\}")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_QUERY_OF_LABELS = re.compile(r"label_values\((.+), (\w+)\)")


class Query(NamedTuple):
    """One thing that is asked."""

    where: str
    expr: str


def dashboard(name: str) -> dict[str, Any]:
    """Read one of them by its file's name."""
    found: dict[str, Any] = json.loads((ROOT / "charts" / "dashboards" / f"{name}.json").read_text("utf-8"))
    return found


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Give a dashboard's panels, but for the headings of rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries() -> list[Query]:
    """Give every query of dashboards and alerts, with something in the place of each variable."""
    return [*_of_dashboards(), *(Query(f"alert {name}", rule["expr"]) for name, rule in alerts().items())]


def _of_dashboards() -> Iterator[Query]:
    for path in DASHBOARDS:
        board = dashboard(path.stem)
        for panel in panels(board):
            for target in panel["targets"]:
                yield Query(f"{path.stem}: {panel['title']}", filled_in(target["expr"]))
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                asked = _QUERY_OF_LABELS.fullmatch(variable["definition"])
                assert asked, variable["definition"]
                yield Query(f"{path.stem}: ${variable['name']}", f"group by ({asked[2]}) ({filled_in(asked[1])})")


def filled_in(expr: str) -> str:
    """Put in what Grafana would where all is chosen."""
    for variable, value in (("$__rate_interval", "1m"), ("$namespace", ".*"), ("$queue", ".*"), ("$scaler", ".+")):
        expr = expr.replace(variable, value)
    assert "$" not in expr, expr
    return expr


def names_in(expr: str) -> set[str]:
    """Name the metrics in a query."""
    return set(_NAME.findall(expr))


def labels_in(expr: str) -> Iterator[tuple[str, set[str]]]:
    """Give the metrics that are narrowed down by labels, and these labels."""
    for name, selector in _SELECTOR.findall(expr):
        yield name, set(_LABEL.findall(selector))


def known() -> dict[str, frozenset[str]]:
    """Give the labels of each series that there can be, by its name as it is asked for."""
    found = {name: foreign.labels for name, foreign in FOREIGN.items()}
    for metric in METRICS:
        if metric.type != "histogram":
            found[metric.name] = frozenset(metric.labels)
            continue
        found |= dict.fromkeys((f"{metric.name}_count", f"{metric.name}_sum"), frozenset(metric.labels))
        found[f"{metric.name}_bucket"] = frozenset({*metric.labels, "le"})
    return found
