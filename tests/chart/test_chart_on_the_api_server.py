"""Every object is one that a real API server takes, in a namespace that wants restricted pods."""

import copy
from typing import Any

import pytest
import yaml
from tests.chart.helm import Manifest, kubectl, run, template
from tests.chart.values_to_try import CASES

# The test cluster has no Prometheus operator.
FOREIGN = {"PodMonitor", "PrometheusRule", "ServiceMonitor"}


def dry_run(objects: list[Manifest]) -> tuple[int, str]:
    text = yaml.safe_dump_all(found for found in objects if found["kind"] not in FOREIGN)
    done = run("kubectl", "apply", "--dry-run=server", "-f", "-", stdin=text)
    return done.returncode, done.stderr


@pytest.mark.parametrize("case", CASES)
def test_the_api_server_takes_every_object_without_a_warning(case: str, restricted_namespace: str) -> None:
    values: dict[str, Any] = copy.deepcopy(CASES[case])
    operator = values.setdefault("operator", {})
    if "watchNamespaces" in operator:
        operator["watchNamespaces"] = [restricted_namespace, "default"]
    assert dry_run(template(values, restricted_namespace)) == (0, "")


def test_a_pod_that_is_not_restricted_would_be_noticed(restricted_namespace: str) -> None:
    objects = template({}, restricted_namespace)
    for found in objects:
        if found["kind"] == "StatefulSet":
            del found["spec"]["template"]["spec"]["securityContext"]
    code, said = dry_run(objects)
    assert code == 0
    assert "would violate PodSecurity" in said


def test_a_misspelled_field_would_be_noticed(restricted_namespace: str) -> None:
    objects = template({"pools": {"webhook": {"spec": {"concurency": 2}}}}, restricted_namespace)
    code, said = dry_run(objects)
    assert code != 0
    assert 'unknown field "spec.concurency"' in said


def test_the_operator_may_write_the_keepers_configmap_and_no_other(restricted_namespace: str) -> None:
    """A server-side apply is authorised by name even where it creates; that is why its Role can be that narrow."""
    objects = [found for found in template({}, restricted_namespace) if found["kind"] in {"Role", "RoleBinding"}]
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))
    account = f"system:serviceaccount:{restricted_namespace}:edworkers-operator"
    outcomes = {}
    for name in ("edworkers-pools", "another"):
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"pools.yaml": ""}}
        words = ("apply", "--server-side", "-n", restricted_namespace, "--as", account, "-f", "-")
        outcomes[name] = run("kubectl", *words, stdin=yaml.safe_dump(config)).returncode
    assert outcomes == {"edworkers-pools": 0, "another": 1}
