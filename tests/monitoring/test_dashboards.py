"""The dashboards are as Grafana wants them, ask only for what there is, and lead on where something is wrong."""

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from scripts.dashboards.__main__ import outdated
from tests.monitoring.promtool import ROOT, alerts, promtool
from tests.monitoring.queries import (
    DASHBOARDS,
    OF_TARGETS,
    Query,
    dashboard,
    known,
    labels_in,
    names_in,
    panels,
    queries,
)

BOARDS = [path.stem for path in DASHBOARDS]
QUERIES = queries()


def test_they_are_what_the_generator_makes() -> None:
    assert outdated() == {}
    assert {"overview", "queue", "scaling", "quota"} == set(BOARDS)


def test_what_is_out_of_date_would_be_noticed(tmp_path: Path) -> None:
    assert {path.stem for path in outdated(tmp_path)} == set(BOARDS)


@pytest.mark.parametrize("name", BOARDS)
def test_its_address_stays_and_each_panel_has_a_number_of_its_own(name: str) -> None:
    board = dashboard(name)
    assert board["uid"] == f"edworkers-{name}"
    assert len(board["uid"]) <= 40  # the most that Grafana takes
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("name", BOARDS)
def test_no_panel_covers_another_or_sticks_out(name: str) -> None:
    covered: set[tuple[int, int]] = set()
    for panel in dashboard(name)["panels"]:
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        cells = set(itertools.product(columns, range(place["y"], place["y"] + place["h"])))
        assert columns[-1] < 24
        assert not cells & covered, panel["title"]
        covered |= cells


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_says_what_it_shows_in_which_unit_and_asks_the_chosen_source(name: str) -> None:
    board = dashboard(name)
    assert [variable["name"] for variable in board["templating"]["list"]][:2] == ["datasource", "namespace"]
    for panel in panels(board):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["targets"], panel["title"]


@pytest.mark.parametrize("name", BOARDS)
def test_links_lead_to_runbooks_that_there_are(name: str) -> None:
    links = [link["url"] for panel in panels(dashboard(name)) for link in panel.get("links", ())]
    assert links
    for url in links:
        alert = url.removeprefix("${runbooks}/").removesuffix(".md")
        assert alert in alerts(), url
        assert (ROOT / "docs" / "runbooks" / f"{alert}.md").exists()


def test_every_alert_has_a_panel_that_leads_to_its_runbook() -> None:
    """But for those that say that nothing is there to be shown, and those on what others tell."""
    linked = {link["url"] for name in BOARDS for panel in panels(dashboard(name)) for link in panel.get("links", ())}
    without = {alert for alert in alerts() if f"${{runbooks}}/{alert}.md" not in linked}
    assert without == {
        "EdworkersKeeperMissing",
        "EdworkersOperatorMissing",
        "EdworkersPodsRestart",
        "EdworkersRedisDown",
        "EdworkersRedisNearlyFull",
    }


@pytest.mark.parametrize("query", QUERIES, ids=[query.where for query in QUERIES])
def test_it_asks_only_for_metrics_and_labels_that_there_are(query: Query) -> None:
    series = known()
    asked = names_in(query.expr)
    assert asked, query.expr
    assert asked <= series.keys()
    for name, labels in labels_in(query.expr):
        assert labels <= series[name] | OF_TARGETS, (name, labels)


@pytest.mark.parametrize("query", QUERIES, ids=[query.where for query in QUERIES])
def test_it_groups_and_joins_by_labels_that_its_metrics_have(query: Query) -> None:
    series = known()
    there = OF_TARGETS.union(*(series[name] for name in names_in(query.expr)))
    assert joined_by(query.expr) <= there


@pytest.mark.parametrize("name", BOARDS)
def test_what_a_line_is_called_is_a_label_that_it_has(name: str) -> None:
    for panel in panels(dashboard(name)):
        for target in panel["targets"]:
            called = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert called <= joined_by(target["expr"]), panel["title"]


def joined_by(expr: str) -> set[str]:
    return {label for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", expr) for label in re.findall(r"\w+", labels)}


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    assert said_of(QUERIES, tmp_path) == ""


def test_a_query_that_prometheus_does_not_understand_would_be_noticed(tmp_path: Path) -> None:
    assert "could not parse expression" in said_of([Query("wrong", "sum(edworkers_jobs_running")], tmp_path)


def said_of(asked: list[Query], folder: Path) -> str:
    """Let promtool read queries as if they were rules; returns what it finds wrong."""
    rules: list[dict[str, Any]] = [{"record": f"query:{at}", "expr": query.expr} for at, query in enumerate(asked)]
    file = folder / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    done = promtool("check", "rules", str(file))
    return "" if done.returncode == 0 else done.stderr
