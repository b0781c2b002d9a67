"""The WorkerPools that come with a release."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.chart.helm import CHART, ROOT, Manifest, environment_of, named, of_kind, template

from edworkers_operator.workerpool import read_worker_pool

EXAMPLES = ROOT / "manifests" / "examples"
QUEUES = ("ai", "document", "email", "scheduled", "webhook")
SECRETS = {"ai": "gemini", "document": "storage", "email": "smtp", "scheduled": "database"}
"""Which value names the Secret without which a pool can't run."""

ALL: dict[str, Any] = {name: {"existingSecret": name} for name in SECRETS.values()}
OF_THE_INSTALLATION = {"env", "envFrom", "image", "schedules"}
"""What is of the place where it is installed, and so is in the example or in the chart only."""


def spec_of(objects: list[Manifest], name: str) -> dict[str, Any]:
    spec: dict[str, Any] = named(objects, "WorkerPool", name)["spec"]
    return spec


def variables(spec: dict[str, Any]) -> dict[str, Any]:
    return {variable["name"]: variable.get("value", variable.get("valueFrom")) for variable in spec.get("env", ())}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_default_pool_is_the_example_of_its_name(path: Path) -> None:
    example = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]
    found = spec_of(template(ALL), path.stem)
    for spec in (example, found):
        for name in OF_THE_INSTALLATION:
            spec.pop(name, None)
    assert found == example


def test_all_five_are_on() -> None:
    assert tuple(pool["metadata"]["name"] for pool in of_kind(template({}), "WorkerPool")) == QUEUES


@pytest.mark.parametrize("name", QUEUES)
def test_each_pool_can_be_switched_off(name: str) -> None:
    pools = of_kind(template({"pools": {name: {"enabled": False}}}), "WorkerPool")
    assert [pool["metadata"]["name"] for pool in pools] == [queue for queue in QUEUES if queue != name]


@pytest.mark.parametrize("values", [{}, ALL], ids=["without secrets", "with all secrets"])
@pytest.mark.parametrize("name", QUEUES)
def test_each_pool_is_one_that_the_operator_can_read(name: str, values: dict[str, Any]) -> None:
    pool = read_worker_pool(named(template(values), "WorkerPool", name))
    assert (pool.spec.queue, pool.spec.handlers) == (name, f"edworkers.handlers.{name}")


@pytest.mark.parametrize("name", SECRETS)
def test_without_its_secret_a_pool_waits_for_it(name: str) -> None:
    objects = template({})
    found = spec_of(objects, name)
    assert found["suspend"] is True
    assert not {"env", "envFrom"} & found.keys()
    others = template({SECRETS[name]: {"existingSecret": "mine"}})
    assert [pool for pool in QUEUES if not spec_of(others, pool).get("suspend")] == sorted([name, "webhook"])


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    "spec", [{"envFrom": [{"secretRef": {"name": "mine"}}]}, {"env": [{"name": "A", "value": "b"}]}, {"suspend": False}]
)
def test_with_settings_from_elsewhere_it_runs(name: str, spec: dict[str, Any]) -> None:
    assert not spec_of(template({"pools": {name: {"spec": spec}}}), name).get("suspend")


@pytest.mark.parametrize("name", SECRETS)
def test_a_pool_of_that_name_with_handlers_of_ones_own_waits_for_nothing(name: str) -> None:
    own = spec_of(template({"pools": {name: {"spec": {"handlers": "mine"}}}}), name)
    assert "suspend" not in own
    assert "image" not in own


def test_a_key_for_gemini_may_be_a_value_too() -> None:
    assert not spec_of(template({"gemini": {"apiKey": "a-key"}}), "ai").get("suspend")


def test_what_needs_programs_runs_from_the_image_that_has_them() -> None:
    images = {"documents": {"image": {"tag": "1.2"}}, "image": {"registry": "images.example"}}
    objects = template(images)
    found = {name: spec_of(objects, name).get("image") for name in QUEUES}
    programs = "images.example/edworkers-documents:1.2"
    assert found == {"ai": None, "document": programs, "email": None, "scheduled": programs, "webhook": None}
    own = template({"pools": {"document": {"spec": {"image": "mine:1"}}}})
    assert spec_of(own, "document")["image"] == "mine:1"


def test_storage_mail_and_database_reach_the_pods_that_need_them_and_no_others() -> None:
    objects = template(ALL)
    secrets = {
        name: [source["secretRef"]["name"] for source in spec_of(objects, name).get("envFrom", ())] for name in QUEUES
    }
    assert secrets == {
        "ai": [],
        "document": ["storage"],
        "email": ["smtp", "storage"],
        "scheduled": ["storage"],
        "webhook": [],
    }
    ledger = {"secretKeyRef": {"name": "database", "key": "NEON_DATABASE_URL"}}
    assert all(variables(spec_of(objects, name))["NEON_DATABASE_URL"] == ledger for name in QUEUES)
    backups = {"secretKeyRef": {"name": "database", "key": "BACKUP_DATABASE_URL", "optional": True}}
    found = {name: variables(spec_of(objects, name)).get("BACKUP_DATABASE_URL") for name in QUEUES}
    assert found == {**dict.fromkeys(QUEUES), "scheduled": backups}


def test_a_pool_of_the_users_own_has_the_database_too() -> None:
    mine = {"enabled": True, "spec": {"queue": "mine", "handlers": "mine"}}
    [variable] = spec_of(template(ALL | {"pools": {"mine": mine}}), "mine")["env"]
    assert variable["name"] == "NEON_DATABASE_URL"


def test_sources_of_ones_own_come_after_those_of_the_chart_and_so_go_before_them() -> None:
    mine = {"configMapRef": {"name": "mine"}}
    values = {"smtp": {"existingSecret": "smtp"}, "pools": {"email": {"spec": {"envFrom": [mine]}}}}
    assert spec_of(template(values), "email")["envFrom"] == [{"secretRef": {"name": "smtp"}}, mine]


def test_the_database_is_brought_up_to_date_before_anything_else_is_changed() -> None:
    values = {"database": {"existingSecret": "neon", "existingSecretKey": "url"}}
    job = named(template(values), "Job", "edworkers-migrate")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert "hook-succeeded" in job["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
    pod = job["spec"]["template"]
    assert pod["spec"]["containers"][0]["args"] == ["migrate"]
    assert environment_of(pod) == {"NEON_DATABASE_URL": {"secretKeyRef": {"name": "neon", "key": "url"}}}


@pytest.mark.parametrize("database", [{}, {"existingSecret": "neon", "migrate": False}])
def test_no_database_is_touched_where_none_is_given_or_somebody_else_does_it(database: dict[str, Any]) -> None:
    assert not [job for job in of_kind(template({"database": database}), "Job") if "migrate" in job["metadata"]["name"]]


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
