"""Boards of panels: their variables, their links to one another, and where each panel lies."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.dashboards.panels import DATASOURCE, FULL_WIDTH, Json, Row

SCHEMA_VERSION = 39
"""That of Grafana 11; later ones read it, and bring it up to date by themselves."""

RUNBOOKS = "docs/runbooks"
"""Where runbooks are; the chart puts `monitoring.runbookUrl` in its place."""


@dataclass(frozen=True, slots=True)
class Variable:
    """What the reader chooses, from what Prometheus knows."""

    name: str
    label: str
    query: str
    whatever: str = ".*"
    """What stands for all of them: it also fits where the label isn't there at all."""

    def render(self) -> Json:
        """Give it as Grafana keeps it."""
        return {
            "name": self.name,
            "label": self.label,
            "type": "query",
            "datasource": DATASOURCE,
            "query": {"query": self.query, "refId": self.name},
            "definition": self.query,
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": self.whatever,
            "current": {"text": ["All"], "value": ["$__all"]},
        }


NAMESPACE = Variable("namespace", "Namespace", "label_values(edworkers_queue_jobs, namespace)")
QUEUE = Variable("queue", "Queue", 'label_values(edworkers_queue_jobs{namespace=~"$namespace"}, queue)')


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard."""

    name: str
    """Its file is named so, and its address ends with it."""
    title: str
    description: str
    rows: Sequence[Row]
    variables: Sequence[Variable] = (NAMESPACE, QUEUE)

    def text(self) -> str:
        """Write it as the JSON that Grafana reads."""
        return json.dumps(self.render(), indent=1, ensure_ascii=False) + "\n"

    def render(self) -> Json:
        """Give it as Grafana keeps it."""
        return {
            "uid": f"edworkers-{self.name}",
            "title": self.title,
            "description": self.description,
            "tags": ["edworkers"],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "timepicker": {},
            "timezone": "browser",
            "annotations": {"list": []},
            "links": [_LINK_TO_THE_OTHERS],
            "templating": {"list": [_DATASOURCE, *(variable.render() for variable in self.variables), _RUNBOOKS]},
            "panels": _laid_out(self.rows),
        }


_LINK_TO_THE_OTHERS = {
    "type": "dashboards",
    "title": "edworkers",
    "tags": ["edworkers"],
    "asDropdown": True,
    "includeVars": True,
    "keepTime": True,
    "targetBlank": False,
    "icon": "external link",
    "tooltip": "",
    "url": "",
}
_DATASOURCE = {
    "name": "datasource",
    "label": "Data source",
    "type": "datasource",
    "query": "prometheus",
    "refresh": 1,
    "hide": 0,
    "includeAll": False,
    "multi": False,
    "options": [],
    "regex": "",
    "current": {},
}
_RUNBOOKS = {
    "name": "runbooks",
    "label": "Runbooks",
    "type": "constant",
    "query": RUNBOOKS,
    "hide": 2,
    "skipUrlSync": True,
    "options": [],
    "current": {"text": RUNBOOKS, "value": RUNBOOKS},
}


def _laid_out(rows: Sequence[Row]) -> list[Json]:
    """Put panels side by side as far as they fit, under the heading of their row."""
    panels: list[Json] = []
    y = 0
    for row in rows:
        place = {"x": 0, "y": y, "w": FULL_WIDTH, "h": 1}
        heading: Json = {"id": len(panels) + 1, "type": "row", "title": row.title, "collapsed": False, "panels": []}
        panels.append(heading | {"gridPos": place})
        x, y, height = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > FULL_WIDTH:
                x, y, height = 0, y + height, 0
            panels.append(panel.render(len(panels) + 1, x, y))
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return panels
