"""promtool, which comes with Prometheus: it checks rules, and tries them on series that are written down."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "charts" / "rules" / "edworkers.yaml"

Rule = dict[str, Any]


def program(name: str) -> str:
    """Find a program of Prometheus."""
    found = shutil.which(name)
    assert found, f"{name} is needed: on Debian and Ubuntu it is in the package prometheus"
    return found


def promtool(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run to the end, well or not."""
    return subprocess.run([program("promtool"), *words], capture_output=True, text=True, timeout=60, check=False)


@cache
def alerts() -> dict[str, Rule]:
    """Give every alert by its name."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def fired(folder: Path, rule: Rule, series: Mapping[str, str], at: str, labels: Sequence[Mapping[str, str]]) -> str:
    """Try an alert on series; says how what fires at that time differs from these labels, or nothing.

    Annotations are left out: promtool would want them word by word.
    """
    bare = {name: value for name, value in rule.items() if name != "annotations"}
    _write(folder / "rules.yaml", {"groups": [{"name": "tried", "rules": [bare]}]})
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {"eval_time": at, "alertname": rule["alert"], "exp_alerts": [{"exp_labels": dict(one)} for one in labels]}
        ],
    }
    _write(folder / "test.yaml", {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [case]})
    done = promtool("test", "rules", str(folder / "test.yaml"))
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
