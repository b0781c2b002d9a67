"""Helm and kubectl as programs, and a chart's objects as plain values."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts"
OF_THE_TEST_CLUSTER = ROOT / ".cluster"
RELEASE = "edworkers"
TIMEOUT_SECONDS = 300

Values = Mapping[str, Any]
Manifest = dict[str, Any]


def program(name: str) -> str:
    """Find a program: of the test cluster, or on the PATH."""
    found = shutil.which(name, path=OF_THE_TEST_CLUSTER / "bin") or shutil.which(name)
    assert found, f"{name} is needed: `make cluster` builds it, or put one on the PATH"
    return found


def environment() -> dict[str, str]:
    """Say which cluster is meant: that of KUBECONFIG, or the test cluster."""
    return {"KUBECONFIG": str(OF_THE_TEST_CLUSTER / "kubeconfig"), **os.environ}


def run(name: str, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Run to the end, well or not."""
    command = [program(name), *words]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, env=environment(), timeout=TIMEOUT_SECONDS, check=False
    )


def helm(*words: str, values: Values | None = None) -> str:
    """Run Helm with these values; what goes wrong fails the test."""
    done = run("helm", *words, *(["--values", "-"] if values is not None else []), stdin=json.dumps(values or {}))
    assert done.returncode == 0, done.stderr
    return done.stdout


def kubectl(*words: str, stdin: str = "") -> str:
    """Run kubectl; what goes wrong fails the test."""
    done = run("kubectl", *words, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def template(values: Values, namespace: str = "jobs", extra: Sequence[str] = ()) -> list[Manifest]:
    """Render the chart; hooks and tests are among the objects."""
    words = ("template", RELEASE, str(CHART), "--namespace", namespace, "--kube-version", "1.34.0", *extra)
    return [found for found in yaml.safe_load_all(helm(*words, values=values)) if found]


def refusal(values: Values) -> str:
    """Say why values are refused."""
    words = ("template", RELEASE, str(CHART), "--kube-version", "1.34.0", "--values", "-")
    done = run("helm", *words, stdin=json.dumps(values))
    assert done.returncode != 0, "these values were not refused"
    return done.stderr


def of_kind(objects: Sequence[Manifest], *kinds: str) -> list[Manifest]:
    """Give those of these kinds."""
    return [found for found in objects if found["kind"] in kinds]


def named(objects: Sequence[Manifest], kind: str, name: str) -> Manifest:
    """Give the one of a kind and name."""
    [found] = [found for found in of_kind(objects, kind) if found["metadata"]["name"] == name]
    return found


def pod_templates(objects: Sequence[Manifest]) -> dict[str, Manifest]:
    """Give the pods, and the templates of pods, by what makes them."""
    templates = {
        f"{found['kind']} {found['metadata']['name']}": found if found["kind"] == "Pod" else found["spec"]["template"]
        for found in of_kind(objects, "Pod", "Deployment", "StatefulSet", "Job")
    }
    assert templates
    return templates


def environment_of(pod: Manifest) -> dict[str, Any]:
    """Give the variables of a pod's first container: their values, or where these come from."""
    variables = pod["spec"]["containers"][0].get("env", [])
    return {variable["name"]: variable.get("value", variable.get("valueFrom")) for variable in variables}
