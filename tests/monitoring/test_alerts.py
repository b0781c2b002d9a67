"""Each alert fires when it should, holds its tongue when it needn't, and leads to a runbook."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.monitoring.promtool import ROOT, RULES, alerts, fired, promtool

# As text, or 0x20 would be a number.
CASES: dict[str, dict[str, Any]] = yaml.load(
    (Path(__file__).parent / "alert_cases.yaml").read_text("utf-8"), Loader=yaml.BaseLoader
)
FIRING = [(alert, how) for alert, case in CASES.items() for how in case if how.startswith("fires")]
SILENT = [(alert, why) for alert, case in CASES.items() for why in case["silent"]]

HEADINGS = ("## What it means", "## How bad it is", "## What to look at", "## What to do", "## When to ignore it")


def test_promtool_finds_no_fault_with_the_rules() -> None:
    done = promtool("check", "rules", str(RULES))
    assert done.returncode == 0, done.stderr
    assert f"{len(alerts())} rules found" in done.stdout


def test_every_alert_is_tried() -> None:
    assert CASES.keys() == alerts().keys()
    assert {alert for alert, _how in FIRING} == {alert for alert, _why in SILENT} == CASES.keys()


@pytest.mark.parametrize(("alert", "how"), FIRING)
def test_it_fires(alert: str, how: str, tmp_path: Path) -> None:
    rule, case = alerts()[alert], CASES[alert]
    assert not fired(tmp_path, rule, case[how], case["at"], [case["labels"] | rule["labels"]])


@pytest.mark.parametrize(("alert", "why"), SILENT)
def test_it_does_not_fire(alert: str, why: str, tmp_path: Path) -> None:
    case = CASES[alert]
    assert not fired(tmp_path, alerts()[alert], case["silent"][why], case["at"], [])


@pytest.mark.parametrize("alert", CASES)
def test_it_fires_no_sooner_than_it_says(alert: str, tmp_path: Path) -> None:
    rule, case = alerts()[alert], CASES[alert]
    assert not fired(tmp_path, rule, case["fires"], "0m", [])


def test_what_does_not_fire_as_expected_is_told(tmp_path: Path) -> None:
    case = CASES["EdworkersRedisDown"]
    assert "EdworkersRedisDown" in fired(tmp_path, alerts()["EdworkersRedisDown"], case["fires"], case["at"], [])


@pytest.mark.parametrize("alert", alerts())
def test_it_says_how_bad_it_is_what_happened_and_where_to_read_on(alert: str) -> None:
    rule = alerts()[alert]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    said = rule["annotations"]
    assert said.keys() == {"summary", "description", "runbook_url"}
    assert 20 < len(said["summary"]) < 110, said["summary"]
    assert said["description"].endswith("."), said["description"]
    assert said["runbook_url"] == f"docs/runbooks/{alert}.md"


@pytest.mark.parametrize("alert", alerts())
def test_its_runbook_says_what_it_means_how_bad_it_is_and_what_to_do(alert: str) -> None:
    text = (ROOT / alerts()[alert]["annotations"]["runbook_url"]).read_text("utf-8")
    assert text.startswith(f"# {alert}\n")
    assert tuple(re.findall(r"^## .*$", text, re.MULTILINE)) == HEADINGS


def test_no_runbook_is_left_over() -> None:
    assert {path.stem for path in (ROOT / "docs" / "runbooks").glob("Edworkers*.md")} == alerts().keys()
