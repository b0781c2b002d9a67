"""How the chart's pods are allowed to run, and what they are made of."""

from typing import Any

import pytest
from tests.chart.helm import Manifest, pod_templates, template
from tests.chart.pod_security import violations
from tests.chart.values_to_try import CASES


def test_every_pod_fits_the_restricted_standard(objects: list[Manifest]) -> None:
    faults = {name: violations(pod) for name, pod in pod_templates(objects).items()}
    assert not any(faults.values()), faults


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"hostNetwork": True}, "uses hostNetwork"),
        ({"securityContext": {}}, "operator may be root"),
        ({"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}, "has a volume of hostPath"),
    ],
)
def test_a_pod_that_does_not_fit_would_be_noticed(change: dict[str, Any], fault: str) -> None:
    pod = pod_templates(template({}))["Deployment edworkers-operator"]
    pod["spec"] |= change
    assert fault in violations(pod)


def test_every_container_says_what_it_needs(objects: list[Manifest]) -> None:
    for name, pod in pod_templates(objects).items():
        for container in pod["spec"]["containers"]:
            assert {"requests", "limits"} <= container["resources"].keys(), name


def test_only_those_that_talk_to_the_api_server_have_a_token(objects: list[Manifest]) -> None:
    with_token = {
        name for name, pod in pod_templates(objects).items() if pod["spec"].get("automountServiceAccountToken", True)
    }
    assert with_token <= {"Deployment edworkers-operator", "Deployment edworkers-server", "Job edworkers-crd-upgrade"}


def test_all_images_come_from_the_registry_that_is_given() -> None:
    pods = pod_templates(template(CASES["everything"]))
    images = {name: pod["spec"]["containers"][0]["image"] for name, pod in pods.items()}
    runner = f"images.example/school/edworkers-runner@sha256:{'0' * 64}"
    assert images == {
        "Deployment edworkers-operator": "images.example/school/edworkers-operator:1.2.3",
        "Deployment edworkers-keeper": runner,
        "Deployment edworkers-server": runner,
        "StatefulSet edworkers-redis": "docker.io/library/redis:7.4",
        "Job edworkers-crd-upgrade": "images.example/school/edworkers-operator:1.2.3",
        "Job edworkers-migrate": runner,
        "Pod edworkers-test-redis": runner,
        "Pod edworkers-test-operator": "images.example/school/edworkers-operator:1.2.3",
    }
    for pod in pods.values():
        assert pod["spec"]["imagePullSecrets"] == [{"name": "images"}]
        assert pod["spec"]["containers"][0]["imagePullPolicy"] == "Always"


@pytest.mark.parametrize("component", ["operator", "keeper", "server", "redis"])
def test_a_pods_place_labels_and_annotations_are_the_users_to_say(component: str) -> None:
    settings = {
        "podLabels": {"team": "platform"},
        "podAnnotations": {"note": "mine"},
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "jobs", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
    }
    values = {"redis": {"bundled": settings}} if component == "redis" else {component: settings}
    pods = pod_templates(template(values))
    pod = next(pod for name, pod in pods.items() if name.endswith(f"edworkers-{component}"))
    assert pod["metadata"]["labels"]["team"] == "platform"
    assert pod["metadata"]["annotations"]["note"] == "mine"
    spec = {name: pod["spec"][name] for name in ("nodeSelector", "tolerations", "affinity", "priorityClassName")}
    assert spec == {name: settings[name] for name in spec}


def test_several_replicas_go_to_several_nodes() -> None:
    pods = pod_templates(template({"keeper": {"replicas": 2}, "server": {"replicas": 2}}))
    for component in ("operator", "keeper", "server"):
        [spread] = pods[f"Deployment edworkers-{component}"]["spec"]["topologySpreadConstraints"]
        assert spread["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == component


def test_a_new_password_restarts_those_that_log_in_with_it() -> None:
    def checksums(password: str) -> dict[str, str]:
        pods = pod_templates(template({"redis": {"password": password}}))
        return {name: str(pod["metadata"].get("annotations")) for name, pod in pods.items() if "Pod " not in name}

    before, after = checksums("first-word"), checksums("second-word")
    changed = {name for name, checksum in before.items() if checksum != after[name]}
    deployments = {f"Deployment edworkers-{component}" for component in ("operator", "keeper", "server")}
    assert changed == {*deployments, "StatefulSet edworkers-redis"}
    assert before == checksums("first-word")
    assert "first-word" not in str(before)


def test_labels_are_those_that_kubernetes_recommends(objects: list[Manifest]) -> None:
    for found in objects:
        labels = found["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "edworkers", found
        assert labels["app.kubernetes.io/instance"] == "edworkers"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["helm.sh/chart"].startswith("edworkers-")


def test_no_label_that_changes_with_the_version_is_on_a_pod(objects: list[Manifest]) -> None:
    """An upgrade restarts only what it changes."""
    for name, pod in pod_templates(objects).items():
        if not name.startswith("Pod "):
            assert not {"helm.sh/chart", "app.kubernetes.io/version"} & pod["metadata"]["labels"].keys(), name
