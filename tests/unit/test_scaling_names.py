"""The alerts and metrics that the paper on scaling names are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAPER = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")


def test_every_alert_of_the_paper_is_a_rule() -> None:
    rules = (ROOT / "charts" / "rules" / "edworkers.yaml").read_text(encoding="utf-8")
    named = set(re.findall(r"\bEdworkers[A-Z]\w+", PAPER))
    assert named
    assert named <= set(re.findall(r"alert: *(\w+)", rules))


def test_every_metric_of_the_paper_is_told() -> None:
    reference = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\bedworkers_\w+", PAPER))
    assert named
    assert named <= set(re.findall(r"\bedworkers_\w+", reference))
