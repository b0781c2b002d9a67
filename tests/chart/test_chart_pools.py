"""The WorkerPools that come with a release."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.chart.helm import CHART, ROOT, Manifest, named, of_kind, template

from edworkers_operator.workerpool import read_worker_pool

EXAMPLES = ROOT / "manifests" / "examples"
KEY = {"gemini": {"existingSecret": "gemini"}}
OFF = ("document", "email", "scheduled")


def spec_of(objects: list[Manifest], name: str) -> dict[str, Any]:
    spec: dict[str, Any] = named(objects, "WorkerPool", name)["spec"]
    return spec


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_default_pool_is_the_example_of_its_name(path: Path) -> None:
    example = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = spec_of(template(KEY | {"pools": {path.stem: {"enabled": True}}}), path.stem)
    assert {name: value for name, value in found.items() if name != "env"} == example["spec"]


def test_what_can_run_is_on_and_what_is_not_built_yet_is_off() -> None:
    assert [pool["metadata"]["name"] for pool in of_kind(template({}), "WorkerPool")] == ["ai", "webhook"]


@pytest.mark.parametrize("name", ["ai", "webhook", *OFF])
def test_each_pool_can_be_switched_on_and_off(name: str) -> None:
    for enabled in (True, False):
        pools = of_kind(template({"pools": {name: {"enabled": enabled}}}), "WorkerPool")
        assert (name in [pool["metadata"]["name"] for pool in pools]) is enabled


@pytest.mark.parametrize("name", ["ai", "webhook", *OFF])
def test_each_pool_is_one_that_the_operator_can_read(name: str) -> None:
    assert (
        read_worker_pool(named(template({"pools": {name: {"enabled": True}}}), "WorkerPool", name)).spec.queue == name
    )


def test_without_a_key_the_pool_ai_waits_for_one() -> None:
    found = spec_of(template({}), "ai")
    assert found["suspend"] is True
    assert "env" not in found


@pytest.mark.parametrize(
    "values",
    [
        KEY,
        {"gemini": {"apiKey": "a-key"}},
        {"pools": {"ai": {"spec": {"envFrom": [{"secretRef": {"name": "mine"}}]}}}},
        {"pools": {"ai": {"spec": {"suspend": False}}}},
    ],
)
def test_with_a_key_from_anywhere_it_runs(values: dict[str, Any]) -> None:
    assert not spec_of(template(values), "ai").get("suspend")


def test_the_secrets_of_queues_reach_their_pods() -> None:
    objects = template({"gemini": {"apiKey": "a-key"}})
    assert spec_of(objects, "ai")["env"] == [
        {
            "name": "GEMINI_API_KEY",
            "valueFrom": {"secretKeyRef": {"name": "edworkers-gemini", "key": "GEMINI_API_KEY"}},
        }
    ]
    assert named(objects, "Secret", "edworkers-gemini")["stringData"] == {"GEMINI_API_KEY": "a-key"}
    [variable] = spec_of(objects, "webhook")["env"]
    assert variable["valueFrom"]["secretKeyRef"] == {"name": "edworkers-webhook", "key": "WEBHOOK_SECRET"}


def test_a_variable_of_the_users_comes_before_that_of_the_chart() -> None:
    mine = {"name": "WEBHOOK_SECRET", "value": "none"}
    more = {"name": "EDWORKERS_LOG_LEVEL", "value": "debug"}
    for env in ([mine], [more]):
        found = spec_of(template({"pools": {"webhook": {"spec": {"env": env}}}}), "webhook")["env"]
        assert len([variable for variable in found if variable["name"] == "WEBHOOK_SECRET"]) == 1
        assert env[0] in found


def test_a_secret_for_webhooks_is_made_where_none_is_given_and_kept() -> None:
    secret = named(template({}), "Secret", "edworkers-webhook")
    assert secret["stringData"]["WEBHOOK_SECRET"].startswith("whsec_")
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_a_pool_of_the_users_own_is_made_beside_them() -> None:
    mine = {"enabled": True, "spec": {"queue": "mine", "handlers": "my.handlers", "replicas": 2}}
    assert spec_of(template({"pools": {"mine": mine}}), "mine") == mine["spec"]


def test_a_field_of_a_default_pool_can_be_taken_back() -> None:
    found = spec_of(template({"pools": {"webhook": {"spec": {"autoscaling": None, "replicas": 2}}}}), "webhook")
    assert "autoscaling" not in found
    assert found["replicas"] == 2


def test_the_definition_in_the_chart_is_that_of_the_manifests() -> None:
    [found] = (CHART / "crds").iterdir()
    assert found.read_bytes() == (ROOT / "manifests" / "crd.yaml").read_bytes()
