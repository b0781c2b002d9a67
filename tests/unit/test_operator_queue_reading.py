"""What follows from a queue's counts for its pods."""

from typing import Any

import pytest

from edworkers_operator.queue_reading import COST, deletion_costs, pods_of


def pod(name: str, cost: str | None = None) -> dict[str, Any]:
    return {"metadata": {"name": name, **({"annotations": {COST: cost}} if cost else {})}}


def test_jobs_are_counted_by_the_pod_that_holds_them() -> None:
    receipts = [b"edworkers-ai-x.r1.5.0", b"edworkers-ai-x.r2.5.1", b"node.example.r1.9.0"]
    assert pods_of(receipts) == {"edworkers-ai-x": 2, "node.example": 1}


def test_a_receipt_of_another_form_belongs_to_no_pod() -> None:
    assert pods_of([b"r.1.2", b""]) == {}


@pytest.mark.parametrize(
    ("pods", "busy", "changes"),
    [
        pytest.param([pod("a"), pod("b")], {}, [], id="all idle"),
        pytest.param([pod("a"), pod("b")], {"a": 3}, [("a", "100")], id="one got busy"),
        pytest.param([pod("a", "100"), pod("b")], {"b": 1}, [("a", "0"), ("b", "100")], id="they changed places"),
        pytest.param([pod("a", "100"), pod("b", "0")], {"a": 1}, [], id="as it was"),
        pytest.param([pod("a", "100"), pod("b", "100")], {"a": 0}, [("a", "0"), ("b", "0")], id="all got idle"),
        pytest.param([pod("a")], {"a": 1}, [], id="a pod alone has nobody to be compared with"),
    ],
)
def test_busy_pods_cost_more_than_idle_ones_and_only_changes_are_told(
    pods: list[dict[str, Any]], busy: dict[str, int], changes: list[tuple[str, str]]
) -> None:
    assert [(of["metadata"]["name"], cost) for of, cost in deletion_costs(pods, busy)] == changes
