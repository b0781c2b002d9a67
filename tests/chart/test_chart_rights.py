"""What the chart lets its service accounts do: no more than they need."""

from typing import Any

import pytest
from tests.chart.helm import Manifest, named, of_kind, template
from tests.chart.values_to_try import CASES


def rules(objects: list[Manifest], *kinds: str) -> list[dict[str, Any]]:
    return [rule for role in of_kind(objects, *kinds) for rule in role["rules"]]


def test_nobody_may_read_secrets_hand_out_rights_or_act_as_others(objects: list[Manifest]) -> None:
    for rule in rules(objects, "Role", "ClusterRole"):
        assert "secrets" not in rule["resources"]
        assert "*" not in [*rule["resources"], *rule["verbs"], *rule["apiGroups"]]
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
        assert "rbac.authorization.k8s.io" not in rule["apiGroups"]
        assert not {"pods/exec", "pods/attach", "serviceaccounts/token", "nodes"} & set(rule["resources"])


def test_configmaps_and_leases_are_only_its_own_by_name() -> None:
    for rule in rules(template({}), "Role", "ClusterRole"):
        if rule["resources"] == ["configmaps"]:
            assert rule["resourceNames"] == ["edworkers-pools"]
        if rule["resources"] == ["leases"] and rule["verbs"] != ["create"]:
            assert rule["resourceNames"] == ["edworkers-operator"]


def test_one_that_serves_all_namespaces_has_its_rights_in_all_of_them() -> None:
    objects = template({})
    assert {"apiGroups": ["apps"], "resources": ["deployments"]}.items() <= next(
        rule for rule in rules(objects, "ClusterRole") if rule["resources"] == ["deployments"]
    ).items()
    assert [role["metadata"]["name"] for role in of_kind(objects, "Role")] == ["edworkers-operator-own"]


def test_one_that_serves_some_namespaces_can_beyond_them_only_read_its_own_definition() -> None:
    objects = template(CASES["namespaced"] | {"crd": {"upgrade": False}})
    assert rules(objects, "ClusterRole") == [
        {
            "apiGroups": ["apiextensions.k8s.io"],
            "resources": ["customresourcedefinitions"],
            "resourceNames": ["workerpools.edworkers.dev"],
            "verbs": ["get"],
        }
    ]
    everywhere = rules(template({}), "ClusterRole")
    for namespace in ("jobs", "school"):
        roles = [role for role in of_kind(objects, "Role") if role["metadata"]["namespace"] == namespace]
        [role] = [role for role in roles if role["metadata"]["name"] == "jobs-edworkers-operator"]
        assert all(rule in everywhere for rule in role["rules"])
        assert {"workerpools", "deployments", "scaledobjects"} <= {rule["resources"][0] for rule in role["rules"]}


@pytest.mark.parametrize("case", ["as it comes", "namespaced"])
def test_each_role_is_bound_to_the_account_that_it_is_for(case: str) -> None:
    objects = [
        found for found in template(CASES[case]) if "helm.sh/hook" not in found["metadata"].get("annotations", {})
    ]
    bindings = of_kind(objects, "RoleBinding", "ClusterRoleBinding")
    bound = {(found["roleRef"]["name"], found["metadata"].get("namespace")) for found in bindings}
    roles = {
        (role["metadata"]["name"], role["metadata"].get("namespace"))
        for role in of_kind(objects, "Role", "ClusterRole")
        if not any("aggregate" in label for label in role["metadata"]["labels"])
    }
    assert bound == roles
    for binding in bindings:
        component = "server" if binding["metadata"]["name"].endswith("-server") else "operator"
        account = {"kind": "ServiceAccount", "name": f"edworkers-{component}", "namespace": "jobs"}
        assert binding["subjects"] == [account]


def test_the_server_may_only_look_at_pools() -> None:
    for case, kind, namespaces in (("as it comes", "ClusterRole", [None]), ("namespaced", "Role", ["jobs", "school"])):
        roles = [role for role in of_kind(template(CASES[case]), kind) if role["metadata"]["name"].endswith("-server")]
        assert [role["metadata"].get("namespace") for role in roles] == namespaces
        for role in roles:
            [rule] = role["rules"]
            assert (rule["resources"], rule["verbs"]) == (["workerpools"], ["get", "list"])


def test_only_a_hook_that_is_cleared_away_may_change_the_definition(objects: list[Manifest]) -> None:
    for role in of_kind(objects, "Role", "ClusterRole"):
        for rule in role["rules"]:
            if rule["resources"] != ["customresourcedefinitions"] or set(rule["verbs"]) <= {"get", "list", "watch"}:
                continue
            assert rule["resourceNames"] == ["workerpools.edworkers.dev"]
            assert rule["verbs"] == ["get", "patch"]
            assert "hook-succeeded" in role["metadata"]["annotations"]["helm.sh/hook-delete-policy"]


def test_the_definition_is_upgraded_before_anything_else_is() -> None:
    job = named(template({}), "Job", "edworkers-crd-upgrade")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["apply-crd"]


def test_whoever_may_edit_a_namespace_may_edit_its_pools() -> None:
    objects = template({})
    view = named(objects, "ClusterRole", "jobs-edworkers-view")
    edit = named(objects, "ClusterRole", "jobs-edworkers-edit")
    assert view["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    assert "rbac.authorization.k8s.io/aggregate-to-view" not in edit["metadata"]["labels"]
    assert {verb for rule in view["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
