"""Panels as Grafana keeps them: what is asked of Prometheus, and how it is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
FULL_WIDTH = 24

GREEN, ORANGE, RED = "green", "orange", "red"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture."""

    title: str
    description: str
    """What it shows and what to make of it, in one or two sentences."""
    queries: Mapping[str, str]
    """By its legend, what is asked of Prometheus."""
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    warns_at: float | None = None
    alarms_at: float | None = None
    most: float | None = None
    """The end of the scale; as far as there are values where it is None."""
    alert: str = ""
    """The alert that watches the same, to whose runbook a link leads."""
    stacked: bool = False
    exemplars: bool = False
    """Whether traces are shown beside the lines."""
    more: Json = field(default_factory=dict[str, Any])
    """What only this panel has: merged into the whole."""

    def render(self, number: int, x: int, y: int) -> Json:
        """Give it as Grafana keeps it, at a place on the board."""
        panel: Json = {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [self._target(at, legend, expr) for at, (legend, expr) in enumerate(self.queries.items())],
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "options": _OPTIONS.get(self.kind, {}),
        }
        if self.alert:
            panel["links"] = [_link_to_runbook(self.alert)]
        return panel | self.more

    def _target(self, at: int, legend: str, expr: str) -> Json:
        target: Json = {"refId": chr(ord("A") + at), "datasource": DATASOURCE, "expr": expr, "legendFormat": legend}
        if self.kind in _OF_ONE_MOMENT:
            target |= {"instant": True, "range": False}
        if self.kind == "table":
            target["format"] = "table"
        if self.kind == "heatmap":
            target["format"] = "heatmap"
        if self.exemplars:
            target["exemplar"] = True
        return target

    def _defaults(self) -> Json:
        defaults: Json = {"unit": self.unit, "min": 0, "thresholds": self._thresholds()}
        if self.most is not None:
            defaults["max"] = self.most
        if self.kind == "timeseries":
            defaults["custom"] = _lines(stacked=self.stacked, has_bounds=self._has_bounds)
        return defaults

    @property
    def _has_bounds(self) -> bool:
        return self.warns_at is not None or self.alarms_at is not None

    def _thresholds(self) -> Json:
        steps: list[Json] = [{"color": GREEN, "value": None}]
        bounds = ((ORANGE, self.warns_at), (RED, self.alarms_at))
        steps += [{"color": color, "value": value} for color, value in bounds if value is not None]
        return {"mode": "absolute", "steps": steps}


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel]


_OF_ONE_MOMENT = {"stat", "table", "bargauge"}
_REDUCE = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: Mapping[str, Json] = {
    "timeseries": {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"], "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "reduceOptions": _REDUCE,
        "colorMode": "value",
        "graphMode": "none",
        "textMode": "auto",
        "justifyMode": "auto",
        "orientation": "auto",
    },
    "bargauge": {
        "reduceOptions": _REDUCE,
        "displayMode": "gradient",
        "orientation": "horizontal",
        "valueMode": "color",
    },
    "table": {"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": ["sum"], "fields": ""}},
    "state-timeline": {
        "mergeValues": True,
        "showValue": "never",
        "rowHeight": 0.8,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
        "tooltip": {"mode": "single", "sort": "none"},
    },
    "heatmap": {
        "calculate": False,
        "color": {"mode": "scheme", "scheme": "Blues", "steps": 64},
        "yAxis": {"unit": "s"},
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
    },
}


def _lines(*, stacked: bool, has_bounds: bool) -> Json:
    return {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 30 if stacked else 8,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if has_bounds else "off"},
    }


def _link_to_runbook(alert: str) -> Json:
    return {"title": f"Runbook: {alert}", "url": f"${{runbooks}}/{alert}.md", "targetBlank": True}


def on_or_off(meaning: str, color: str = ORANGE) -> Json:
    """Draw 1 as a bar that says what is so, and 0 as nothing worth a colour."""
    options = {"0": {"text": "no", "color": "transparent"}, "1": {"text": meaning, "color": color}}
    defaults = {"unit": "short", "mappings": [{"type": "value", "options": options}], "custom": {"fillOpacity": 70}}
    return {"fieldConfig": {"defaults": defaults, "overrides": []}}


def columns(names: Mapping[str, str], hidden: Sequence[str], units: Mapping[str, str] | None = None) -> Json:
    """Join the queries of a table to one row for each thing, name its columns and hide others."""
    organize = {
        "excludeByName": {"Time": True, **dict.fromkeys(hidden, True)},
        "renameByName": dict(names),
        "indexByName": {name: at for at, name in enumerate(names)},
    }
    overrides = [
        {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": unit}]}
        for name, unit in (units or {}).items()
    ]
    return {
        "transformations": [{"id": "merge", "options": {}}, {"id": "organize", "options": organize}],
        "fieldConfig": {"defaults": {"unit": "short", "custom": {"align": "auto"}}, "overrides": overrides},
    }
