"""What the chart ships for Prometheus and Grafana."""

import json
from typing import Any

import pytest
import yaml
from tests.chart.helm import CHART, Manifest, named, of_kind, pod_templates, refusal, template
from tests.chart.values_to_try import CASES

RULES = {"monitoring": {"rules": {"enabled": True}}}


def alerts_in(groups: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def written_rules() -> dict[str, dict[str, Any]]:
    return alerts_in(yaml.safe_load((CHART / "rules" / "edworkers.yaml").read_text("utf-8"))["groups"])


def rendered_rules(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    [found] = of_kind(template(values), "PrometheusRule")
    return alerts_in(found["spec"]["groups"])


def dashboards(objects: list[Manifest]) -> list[Manifest]:
    return [found for found in of_kind(objects, "ConfigMap") if "-dashboard-" in found["metadata"]["name"]]


def test_nothing_of_it_is_there_unless_it_is_asked_for() -> None:
    objects = template({})
    assert of_kind(objects, "PodMonitor", "ServiceMonitor", "PrometheusRule") == []
    assert dashboards(objects) == []


def test_each_dashboard_is_a_config_map_that_grafanas_sidecar_finds() -> None:
    found = dashboards(template({"monitoring": {"dashboards": {"enabled": True}}}))
    assert len(found) == len(list((CHART / "dashboards").glob("*.json"))) >= 4
    for config_map in found:
        assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
        [(file, text)] = config_map["data"].items()
        name = file.removesuffix(".json").removeprefix("edworkers-")
        assert json.loads(text) == json.loads((CHART / "dashboards" / f"{name}.json").read_text("utf-8"))
        assert len(text) < 1_000_000  # the most that a ConfigMap may hold


def test_dashboards_lead_to_the_runbooks_on_the_users_side() -> None:
    found = dashboards(template(CASES["everything"]))
    assert found
    for config_map in found:
        assert config_map["metadata"]["annotations"] == {"grafana_folder": "edworkers"}
        [board] = (json.loads(text) for text in config_map["data"].values())
        [runbooks] = [one for one in board["templating"]["list"] if one["name"] == "runbooks"]
        assert runbooks["query"] == runbooks["current"]["value"] == "https://wiki.example/runbooks"


def test_the_prometheus_rule_has_every_alert_as_it_is_written() -> None:
    assert rendered_rules(RULES) == written_rules()


def test_alerts_can_be_left_out_labelled_and_lead_to_the_users_runbooks() -> None:
    found = rendered_rules(CASES["everything"])
    assert written_rules().keys() - found.keys() == {"EdworkersRedisDown", "EdworkersRedisNearlyFull"}
    for name, rule in found.items():
        assert rule["labels"] == written_rules()[name]["labels"] | {"team": "platform"}
        assert rule["annotations"]["runbook_url"] == f"https://wiki.example/runbooks/{name}.md"


def test_a_label_of_the_user_takes_no_severity_away() -> None:
    values = {"monitoring": {"rules": {"enabled": True, "alertLabels": {"severity": "page"}}}}
    assert rendered_rules(values)["EdworkersQueueStuck"]["labels"]["severity"] == "critical"


def test_a_group_of_which_all_is_left_out_is_gone() -> None:
    server = ["EdworkersServerErrors", "EdworkersServerSlow"]
    [found] = of_kind(template({"monitoring": {"rules": {"enabled": True, "disabled": server}}}), "PrometheusRule")
    assert "edworkers-server" not in {group["name"] for group in found["spec"]["groups"]}


@pytest.mark.parametrize("name", ["EdworkersQueueStock", "Other"])
def test_a_name_that_is_no_alerts_is_refused(name: str) -> None:
    said = refusal({"monitoring": {"rules": {"enabled": True, "disabled": [name]}}})
    assert f"there is no alert {name}" in said or "/monitoring/rules/disabled/0" in said


def test_runbooks_have_an_address() -> None:
    assert "/monitoring/runbookUrl" in refusal({"monitoring": {"runbookUrl": "wiki"}})


@pytest.mark.parametrize("kind", ["PodMonitor", "ServiceMonitor"])
def test_monitors_find_the_pods_or_services_by_their_ports(kind: str) -> None:
    settings = {"enabled": True, "interval": "15s", "labels": {"release": "prometheus"}}
    objects = template({"metrics": {f"{kind[0].lower()}{kind[1:]}": settings}, "server": {"enabled": True}})
    monitors = {found["metadata"]["labels"]["app.kubernetes.io/component"]: found for found in of_kind(objects, kind)}
    assert monitors.keys() == {"operator", "server"} | ({"keeper"} if kind == "PodMonitor" else set())
    for component, monitor in monitors.items():
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        [endpoint] = monitor["spec"]["podMetricsEndpoints" if kind == "PodMonitor" else "endpoints"]
        assert endpoint["interval"] == "15s"
        assert endpoint["port"] in ports_of(objects, component, kind)
        wanted = monitor["spec"]["selector"]["matchLabels"]
        assert wanted.items() <= labels_of(objects, component, kind).items()


def ports_of(objects: list[Manifest], component: str, kind: str) -> set[str]:
    if kind == "ServiceMonitor":
        return {port["name"] for port in named(objects, "Service", f"edworkers-{component}")["spec"]["ports"]}
    [container] = pod_templates(objects)[f"Deployment edworkers-{component}"]["spec"]["containers"]
    return {port["name"] for port in container["ports"]}


def labels_of(objects: list[Manifest], component: str, kind: str) -> dict[str, str]:
    found = (
        named(objects, "Service", f"edworkers-{component}")
        if kind == "ServiceMonitor"
        else pod_templates(objects)[f"Deployment edworkers-{component}"]
    )
    labels: dict[str, str] = found["metadata"]["labels"]
    return labels


def test_what_is_not_installed_is_not_scraped() -> None:
    objects = template(
        {
            "metrics": {"podMonitor": {"enabled": True}},
            "keeper": {"enabled": False},
            "server": {"enabled": False},
        }
    )
    assert [found["metadata"]["name"] for found in of_kind(objects, "PodMonitor")] == ["edworkers-operator"]
