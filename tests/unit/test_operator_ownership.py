"""What is somebody else's is never taken over."""

from typing import Any

import pytest

from edworkers_operator.reconcile import fault_of_owner

OURS = {"kind": "WorkerPool", "name": "a", "uid": "1", "controller": True}


def _child(*owners: dict[str, Any], labels: dict[str, str] | None = None) -> dict[str, Any]:
    return {"kind": "CronJob", "metadata": {"name": "a-b-c", "ownerReferences": list(owners), "labels": labels or {}}}


WANTED = _child(OURS)


def test_what_is_ours_is_ours_whatever_became_of_its_labels() -> None:
    assert fault_of_owner(WANTED, _child(OURS)) is None


def test_what_lost_its_owner_and_says_that_we_manage_it_is_taken_back() -> None:
    assert fault_of_owner(WANTED, _child(labels={"app.kubernetes.io/managed-by": "edworkers-operator"})) is None


@pytest.mark.parametrize(
    ("there", "status", "said"),
    [
        (_child(), 403, "not the operator's"),
        (_child(labels={"app.kubernetes.io/managed-by": "Helm"}), 403, "not the operator's"),
        (_child({**OURS, "name": "a-b", "uid": "2"}), 403, "WorkerPool a-b: rename"),
        (_child({"kind": "ReplicaSet", "name": "a", "uid": "3", "controller": True}), 403, "ReplicaSet a: rename"),
        (_child({**OURS, "uid": "0"}), 409, "earlier pool of this name"),
    ],
)
def test_what_is_somebody_elses_is_left_alone(there: dict[str, Any], status: int, said: str) -> None:
    fault = fault_of_owner(WANTED, there)
    assert fault is not None
    assert fault.status == status
    assert said in str(fault)
