"""What is to be done with a pool's objects, and in which order."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers_operator.naming import FIELD_MANAGER
from edworkers_operator.plan import (
    APPLIED,
    FIRST_REPLICAS_MANAGER,
    Apply,
    ChildId,
    Delete,
    Evict,
    Manifest,
    Step,
    covers,
    id_of,
    managers_of_added_fields,
    plan,
)

ACCOUNT: Manifest = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "edworkers-ai"}}
AT = "f:kubectl.kubernetes.io/restartedAt"
RESTART: dict[str, Any] = {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {".": {}, AT: {}}}}}}
ENV: dict[str, Any] = {
    "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"runner"}': {"f:env": {".": {}, "f:x": {}}}}}}}
}


def deployment(name: str = "edworkers-ai", **spec: Any) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"edworkers.dev/pool": "ai"}},
        "spec": {"template": {"containers": [{"name": "runner", "image": "a"}]}, **spec},
    }


def entry(manager: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "fieldsV1": fields, **more}


def applied(manifest: Manifest, *entries: dict[str, Any], **metadata: Any) -> Manifest:
    """Give an object as it is found after it has been applied."""
    (step,) = plan([manifest], {})
    assert isinstance(step, Apply)
    found = {**step.manifest, "status": {"some": "status"}}
    return {**found, "metadata": {**found["metadata"], "managedFields": list(entries), **metadata}}


def found_as(*children: Manifest) -> dict[ChildId, Manifest]:
    return {id_of(child): child for child in children}


def edited(found: Manifest) -> Manifest:
    return {**found, "spec": {"template": {"containers": [{"name": "runner", "image": "b"}]}}}


def whys(steps: Iterable[Step]) -> list[str]:
    return [step.why if isinstance(step, Apply) else type(step).__name__ for step in steps]


def test_what_is_missing_is_created_in_the_order_in_which_it_is_desired() -> None:
    steps = plan([ACCOUNT, deployment()], {})
    assert whys(steps) == ["create", "create"]
    assert [step.manifest["kind"] for step in steps if isinstance(step, Apply)] == ["ServiceAccount", "Deployment"]


def test_what_is_as_it_was_applied_is_left_alone() -> None:
    assert plan([ACCOUNT, deployment()], found_as(applied(ACCOUNT), applied(deployment()))) == []


def test_an_object_that_should_be_another_is_changed() -> None:
    assert whys(plan([deployment(paused=False)], found_as(applied(deployment())))) == ["change"]


def test_a_field_that_is_no_longer_wanted_is_a_change_although_all_that_is_wanted_is_there() -> None:
    assert whys(plan([deployment()], found_as(applied(deployment(paused=False))))) == ["change"]


def test_an_object_whose_annotation_was_removed_is_applied_again() -> None:
    found = applied(deployment())
    del found["metadata"]["annotations"]
    assert whys(plan([deployment()], found_as(found))) == ["change"]


def test_an_annotation_of_its_own_stays_beside_ours() -> None:
    (step,) = plan([{**ACCOUNT, "metadata": {"name": "a", "annotations": {"paused": "0"}}}], {})
    assert isinstance(step, Apply)
    assert set(step.manifest["metadata"]["annotations"]) == {"paused", APPLIED}


def test_a_field_that_somebody_changed_is_repaired() -> None:
    assert whys(plan([deployment()], found_as(edited(applied(deployment()))))) == ["repair"]


def test_a_field_that_somebody_added_is_evicted_and_it_is_said_whose_it_was() -> None:
    found = applied(deployment(), entry("kubectl-edit", ENV))
    assert plan([deployment()], found_as(found)) == [Evict(found, ("kubectl-edit",))]


def test_what_was_changed_and_added_at_once_is_repaired_first_so_that_evicting_removes_nothing_of_ours() -> None:
    found = edited(applied(deployment(), entry("kubectl-edit", ENV)))
    repair, evict = plan([deployment()], found_as(found))
    assert isinstance(repair, Apply)
    assert (repair.why, repair.managers) == ("repair", ("kubectl-edit",))
    assert evict == Evict(found)


def test_what_no_pool_wants_any_more_is_deleted_after_all_else() -> None:
    gone = applied(deployment("edworkers-old"))
    assert plan([ACCOUNT], found_as(gone))[-1] == Delete(gone)


def test_an_object_that_is_being_deleted_is_neither_applied_nor_deleted_again() -> None:
    going = applied(deployment(), deletionTimestamp="2026-01-01T00:00:00Z")
    assert plan([deployment()], found_as(going)) == []
    assert plan([], found_as(going)) == []


@pytest.mark.parametrize(
    ("spec", "held", "gives_away"),
    [
        pytest.param({}, True, True, id="fixed before, scaled by others from now on"),
        pytest.param({}, False, False, id="scaled by others before, too"),
        pytest.param({"replicas": 3}, True, False, id="fixed, and stays so"),
    ],
)
def test_a_number_of_pods_that_was_ours_is_given_away_and_never_dropped(
    spec: dict[str, Any], *, held: bool, gives_away: bool
) -> None:
    ours = entry(FIELD_MANAGER, {"f:spec": {"f:replicas": {}} if held else {}})
    (step,) = plan([deployment(paused=False, **spec)], found_as(applied(deployment(), ours)))
    assert isinstance(step, Apply)
    assert (step.why, step.gives_replicas_away) == ("change", gives_away)


def test_only_a_deployment_without_a_number_of_pods_gives_it_away_when_it_is_created() -> None:
    steps = plan([ACCOUNT, deployment(), deployment("b", replicas=0)], {})
    assert [step.gives_replicas_away for step in steps if isinstance(step, Apply)] == [False, True, False]


@pytest.mark.parametrize(
    ("who", "is_stranger"),
    [
        pytest.param(entry("kubectl-edit", ENV), True, id="kubectl edit"),
        pytest.param(entry("kubectl-rollout", {"f:spec": {"f:paused": {}}}), True, id="kubectl rollout pause"),
        pytest.param(entry("edworkers-operator-repair-3", ENV), True, id="an eviction that was broken off"),
        pytest.param(entry("kubectl-edit", {"f:spec": {**RESTART["f:spec"], **ENV["f:spec"]}}), True, id="both"),
        pytest.param(entry("kubectl-rollout", RESTART), False, id="kubectl rollout restart"),
        pytest.param(entry("k9s", RESTART), False, id="a restart by another tool"),
        pytest.param(entry(FIELD_MANAGER, ENV), False, id="the operator"),
        pytest.param(entry(FIRST_REPLICAS_MANAGER, {"f:spec": {"f:replicas": {}}}), False, id="the first number"),
        pytest.param(entry("keda", {"f:metadata": {"f:finalizers": {"v:x": {}}}}), False, id="KEDA, in the metadata"),
        pytest.param(
            entry("kube-controller-manager", {"f:spec": {"f:replicas": {}}}, subresource="scale"), False, id="the HPA"
        ),
        pytest.param(entry("kube-controller-manager", ENV, subresource="status"), False, id="a status"),
        pytest.param({"manager": "odd"}, False, id="no fields"),
    ],
)
def test_a_stranger_is_who_owns_fields_of_a_spec_besides_a_wished_restart(
    who: dict[str, Any], *, is_stranger: bool
) -> None:
    found = {"metadata": {"managedFields": [who]}}
    assert managers_of_added_fields(found) == ((who["manager"],) if is_stranger else ())


def test_an_object_without_managed_fields_has_no_strangers() -> None:
    assert managers_of_added_fields({"metadata": {}}) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=12,
)


@given(JSON)
def test_everything_covers_itself(value: Any) -> None:
    assert covers(value, value)


@given(JSON, JSON)
def test_what_covers_each_other_is_the_same(one: Any, other: Any) -> None:
    assert (covers(one, other) and covers(other, one)) == (repr(one) == repr(other) or _same(one, other))


def _same(one: Any, other: Any) -> bool:
    """Compare without regard to the order of names, where True is not 1 in objects' own types."""
    return bool(one == other) and covers(one, other)


@given(st.dictionaries(st.text("abc", max_size=2), JSON, max_size=3), JSON)
def test_what_the_api_server_adds_to_an_object_is_no_difference(desired: dict[str, Any], added: Any) -> None:
    assert covers(desired, {**desired, "added by the server": added})


@given(st.lists(JSON, max_size=3), JSON)
def test_a_member_more_or_less_is_a_difference(desired: list[Any], added: Any) -> None:
    assert not covers(desired, [*desired, added])
    assert not covers([*desired, added], desired)


@given(st.dictionaries(st.text("abc", max_size=2), JSON, min_size=1, max_size=3))
def test_a_name_that_is_gone_is_a_difference(desired: dict[str, Any]) -> None:
    assert not covers(desired, dict(list(desired.items())[1:]))
