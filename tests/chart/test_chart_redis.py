"""Where the chart says that Redis is, and the Redis it brings along."""

from typing import Any

import pytest
from tests.chart.helm import (
    Manifest,
    environment_of,
    named,
    of_kind,
    pod_templates,
    template,
)
from tests.chart.values_to_try import CASES, EXTERNAL

from edworkers_operator.settings import OperatorSettings, read_settings

ADDRESSES = {
    "as it comes": {"REDIS_HOST": "edworkers-redis.jobs.svc", "REDIS_PORT": "6379"},
    "an external Redis without a password": {"REDIS_HOST": "redis.example.internal", "REDIS_PORT": "6380"},
    "an external Redis with all there is": {
        "REDIS_HOST": "2001:db8::7",
        "REDIS_PORT": "6380",
        "REDIS_DATABASE": "3",
        "REDIS_TLS": "true",
        "REDIS_USERNAME": "jobs",
    },
    "Sentinel": {"REDIS_SENTINELS": "a.example:26379,b.example:26379", "REDIS_MASTER": "main"},
    "a cluster": {"REDIS_NODES": "a.example:6379,b.example:6379"},
}
SECRETS = {
    "as it comes": {"name": "edworkers-redis", "key": "password"},
    "an external Redis without a password": None,
    "an external Redis with all there is": {"name": "redis-login", "key": "word"},
    "Sentinel": {"name": "edworkers-redis", "key": "password"},
    "a cluster": {"name": "redis-login", "key": "password"},
}


def operator_settings(objects: list[Manifest]) -> OperatorSettings:
    """Read the operator's environment as the operator does; what comes from elsewhere is "jobs"."""
    env = environment_of(pod_templates(objects)["Deployment edworkers-operator"])
    return read_settings({name: value if isinstance(value, str) else "jobs" for name, value in env.items()})


def redis_variables(pod: Manifest) -> dict[str, Any]:
    found = environment_of(pod)
    return {name: value for name, value in found.items() if name.startswith("REDIS_") and name != "REDIS_PASSWORD"}


@pytest.mark.parametrize("case", ADDRESSES)
def test_keeper_and_test_pod_find_redis(case: str) -> None:
    pods = pod_templates(template(CASES[case]))
    for name in ("Deployment edworkers-keeper", "Pod edworkers-test-redis"):
        assert redis_variables(pods[name]) == ADDRESSES[case], name


@pytest.mark.parametrize("case", SECRETS)
def test_the_password_comes_from_the_secret_that_is_named(case: str) -> None:
    objects = template(CASES[case])
    wanted = {"secretKeyRef": SECRETS[case]} if SECRETS[case] else None
    for name, pod in pod_templates(objects).items():
        if name not in {"Job edworkers-crd-upgrade", "Pod edworkers-test-operator"}:
            assert environment_of(pod).get("REDIS_PASSWORD") == wanted, name
    settings = operator_settings(objects).render.redis
    assert settings.secret == (SECRETS[case] or {}).get("name", "")
    assert settings.password_key == (SECRETS[case] or {}).get("key", "password")


@pytest.mark.parametrize("case", CASES)
def test_the_operator_understands_what_it_is_told(case: str) -> None:
    settings = operator_settings(template(CASES[case]))
    assert settings.lease == "edworkers-operator"
    assert settings.health_port == 8080


def test_the_operator_is_told_all_of_an_external_redis() -> None:
    redis = operator_settings(template(CASES["an external Redis with all there is"])).render.redis
    assert redis.addresses == ("[2001:db8::7]:6380",)
    assert (redis.database, redis.username, redis.tls) == (3, "jobs", True)
    assert operator_settings(template(CASES["Sentinel"])).render.redis.master == "main"
    assert operator_settings(template(CASES["a cluster"])).render.redis.mode == "cluster"


def test_the_operator_is_told_its_namespaces_images_and_pull_secrets() -> None:
    assert operator_settings(template(CASES["namespaced"])).watch_namespaces == ("jobs", "school")
    render = operator_settings(template(CASES["everything"])).render
    assert render.image == f"images.example/school/edworkers-runner@sha256:{'0' * 64}"
    assert render.image_pull_secrets == ("images",)
    assert render.image_pull_policy == "Always"
    assert operator_settings(template(CASES["as little as can be"])).keeper_config == ""
    assert not operator_settings(template(CASES["as little as can be"])).render.network_policy


def test_the_keeper_reads_what_the_operator_writes() -> None:
    objects = template({})
    keeper = named(objects, "Deployment", "edworkers-keeper")["spec"]["template"]["spec"]
    [volume] = [volume for volume in keeper["volumes"] if volume["name"] == "pools"]
    assert volume["configMap"] == {"name": operator_settings(objects).keeper_config, "optional": True}
    [mount] = [mount for mount in keeper["containers"][0]["volumeMounts"] if mount["name"] == "pools"]
    assert keeper["containers"][0]["args"] == ["keeper", "--pools", f"{mount['mountPath']}/pools.yaml"]


def test_the_bundled_redis_never_evicts_and_writes_everything_down() -> None:
    redis = named(template({}), "StatefulSet", "edworkers-redis")
    words = redis["spec"]["template"]["spec"]["containers"][0]["args"]
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--appendonly"] == "yes"
    assert options["--requirepass"] == "$(REDIS_PASSWORD)"


def test_the_bundled_redis_data_and_password_outlive_the_release() -> None:
    objects = template({})
    redis = named(objects, "StatefulSet", "edworkers-redis")["spec"]
    assert redis["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert redis["volumeClaimTemplates"]
    secret = named(objects, "Secret", "edworkers-redis")
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert len(secret["stringData"]["password"]) == 32


def test_without_a_volume_the_bundled_redis_runs_where_there_is_no_storage() -> None:
    objects = template({"redis": {"bundled": {"persistence": {"enabled": False}}}})
    redis = named(objects, "StatefulSet", "edworkers-redis")["spec"]
    assert "volumeClaimTemplates" not in redis
    assert redis["template"]["spec"]["volumes"] == [{"name": "data", "emptyDir": {}}]


def test_with_an_external_redis_nothing_of_the_bundled_one_is_left() -> None:
    objects = template({"redis": EXTERNAL})
    assert not of_kind(objects, "StatefulSet")
    assert not [found for found in objects if found["metadata"]["name"] == "edworkers-redis"]


def test_with_a_secret_of_the_users_none_is_made() -> None:
    mine = {"existingSecret": "mine"}
    objects = template({"redis": mine, "webhook": mine, "server": {"existingKeysSecret": "mine"}})
    assert not of_kind(objects, "Secret")
    variables = environment_of(pod_templates(objects)["StatefulSet edworkers-redis"])
    assert variables["REDIS_PASSWORD"] == {"secretKeyRef": {"name": "mine", "key": "password"}}


def test_who_may_reach_redis_can_be_said() -> None:
    policy = named(template(CASES["everything"]), "NetworkPolicy", "edworkers-redis")
    [rule] = policy["spec"]["ingress"]
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "api"}}} in rule["from"]
    assert {"podSelector": {}} in rule["from"]


@pytest.mark.parametrize("name", ["edworkers-operator", "edworkers-keeper"])
def test_operator_and_keeper_may_reach_an_external_redis_on_its_port(name: str) -> None:
    policy = named(template({"redis": EXTERNAL}), "NetworkPolicy", name)
    [rule] = policy["spec"]["egress"]
    assert {"port": 6380, "protocol": "TCP"} in rule["ports"]
