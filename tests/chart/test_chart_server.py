"""The server that the chart installs: its keys, how it is reached, and what it is told."""

import hashlib
from typing import Any

import pytest
import yaml
from tests.chart.helm import Manifest, of_kind, pod_templates, refusal, template

from edworkers.server.access.keys import KeyEntry, read_keys

FURTHER = {"name": "lms", "sha256": "0" * 64, "scopes": ["enqueue"]}


def container(values: dict[str, Any]) -> dict[str, Any]:
    [found] = pod_templates(template(values))["Deployment edworkers-server"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def environment(values: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container(values)["env"]}


def secret(values: dict[str, Any]) -> dict[str, str]:
    [found] = [made for made in of_kind(template(values), "Secret") if made["metadata"]["name"] == "edworkers-server"]
    data: dict[str, str] = found["stringData"]
    return data


def keys(data: dict[str, str]) -> tuple[KeyEntry, ...]:
    return read_keys(data["keys.yaml"], "the Secret")


def test_the_first_key_opens_the_server_that_it_is_made_for() -> None:
    data = secret({})
    [first] = keys(data)
    assert hashlib.sha256(data["key"].encode()).hexdigest() == first.sha256
    assert data["key"].startswith(f"edw_{first.name}_")
    assert len(data["session"]) >= 32


def test_no_two_installations_have_one_key() -> None:
    assert secret({})["key"] != secret({})["key"]


def test_further_keys_stand_beside_the_first() -> None:
    assert [entry.name for entry in keys(secret({"server": {"keys": [FURTHER]}}))] == ["admin", "lms"]


def test_a_secret_of_the_users_takes_the_place_of_the_one_that_is_made() -> None:
    values = {"server": {"existingKeysSecret": "mine"}}
    assert "edworkers-server" not in [made["metadata"]["name"] for made in of_kind(template(values), "Secret")]
    assert environment(values)["EDWORKERS_SESSION_SECRET"] == {"secretKeyRef": {"name": "mine", "key": "session"}}
    volumes = pod_templates(template(values))["Deployment edworkers-server"]["spec"]["volumes"]
    assert [volume["secret"]["secretName"] for volume in volumes if "secret" in volume] == ["mine"]


def test_it_is_told_of_every_pool_and_how_people_are_known() -> None:
    found = environment({"server": {"auth": "oidc", "publicUrl": "https://jobs.school.example"}})
    assert found["EDWORKERS_SERVER_AUTH"] == "oidc"
    assert found["EDWORKERS_PUBLIC_URL"] == "https://jobs.school.example"
    assert "EDWORKERS_NAMESPACES" not in found
    assert environment({"operator": {"watchNamespaces": ["jobs", "school"]}})["EDWORKERS_NAMESPACES"] == "jobs school"


def test_variables_come_from_values_and_from_a_secret() -> None:
    made = container({"server": {"env": [{"name": "X", "value": "1"}], "existingSecret": "oidc"}})
    assert {"name": "X", "value": "1"} in made["env"]
    assert made["envFrom"] == [{"secretRef": {"name": "oidc"}}]


def test_an_ingress_leads_to_it() -> None:
    ingress = {"enabled": True, "host": "jobs.school.example", "className": "nginx", "tlsSecret": "tls"}
    [made] = of_kind(template({"server": {"ingress": ingress}}), "Ingress")
    [rule] = made["spec"]["rules"]
    assert rule["host"] == "jobs.school.example"
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "edworkers-server", "port": {"name": "http"}}
    assert made["spec"]["tls"] == [{"hosts": ["jobs.school.example"], "secretName": "tls"}]


def test_without_one_there_is_none() -> None:
    assert of_kind(template({}), "Ingress") == []


def test_switched_off_nothing_of_it_is_left() -> None:
    def names(objects: list[Manifest]) -> list[str]:
        return [found["metadata"]["name"] for found in objects if "server" in found["metadata"]["name"]]

    assert names(template({})) != []
    assert names(template({"server": {"enabled": False}})) == []


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"ingress": {"enabled": True}}, "server.ingress.host is empty"),
        ({"keys": [FURTHER], "existingKeysSecret": "mine"}, "put the keys into that Secret"),
        ({"auth": "none"}, "/server/auth"),
        ({"publicUrl": "jobs.school.example"}, "/server/publicUrl"),
    ],
)
def test_values_that_can_not_be_meant_are_refused(values: dict[str, Any], fault: str) -> None:
    assert fault in refusal({"server": values})


def test_its_port_may_be_reached_and_it_may_reach_redis_and_the_api_server() -> None:
    [policy] = [
        found for found in of_kind(template({}), "NetworkPolicy") if found["metadata"]["name"] == "edworkers-server"
    ]
    assert policy["spec"]["ingress"] == [{"ports": [{"port": "http"}]}]
    assert {port["port"] for port in policy["spec"]["egress"][0]["ports"]} == {53, 6379, 443, 6443}


def test_the_file_of_keys_is_yaml() -> None:
    assert list(yaml.safe_load(secret({})["keys.yaml"])) == ["keys"]
