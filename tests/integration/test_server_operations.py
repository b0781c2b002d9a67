"""One verb for many jobs, over HTTP."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest
from tests.integration.processes import eventually
from tests.integration.server_site import Site, problem, serving

OPERATIONS = "/v1/queues/work/operations"


@pytest.fixture
async def site(redis_url: str) -> AsyncGenerator[Site]:
    async with serving(redis_url) as served:
        for number in range(3):
            await served.enqueue(f"job-{number}")
        yield served


async def test_an_operation_is_begun_listed_and_undone(site: Site) -> None:
    begun = await site.post(OPERATIONS, {"action": "cancel", "state": "pending", "wanted": {"text": "job-1"}})
    assert begun.status_code == 202
    told: dict[str, Any] = begun.json()
    assert (told["status"], told["total"], told["wanted"]) == ("waiting", 3, {"text": "job-1"})
    assert begun.headers["location"] == f"{OPERATIONS}/{told['id']}"
    assert (await site.get(begun.headers["location"])).json() == told
    assert (await site.get(OPERATIONS)).json() == {"operations": [told]}
    undone = await site.client.delete(begun.headers["location"])
    assert undone.json()["status"] == "undone"
    assert (await site.client.delete(begun.headers["location"])).json()["status"] == "undone"


async def test_an_operation_is_carried_out_and_then_can_not_be_undone(redis_url: str) -> None:
    async with serving(redis_url, background=True) as site:
        await site.enqueue("a")
        begun = (
            await site.post(OPERATIONS, {"action": "cancel", "state": "pending", "ids": ["a", "a", "gone"]})
        ).json()
        books = site.app.state.platform.books
        waits = await books.operation(begun["id"])
        assert waits.wanted == {"ids": ["a", "gone"]}
        await books.save(replace(waits, starts_at=waits.created_at))
        place = f"{OPERATIONS}/{begun['id']}"

        async def is_done() -> bool:
            return bool((await site.get(place)).json()["status"] == "done")

        await eventually(is_done)
        ended = (await site.get(place)).json()
        assert (ended["changed"], ended["refused"]) == (2, 0)
        document = problem(await site.client.delete(place), 409, "ended")
        assert document["detail"] == "too late: the operation is done"


@pytest.mark.parametrize(
    ("asked", "faults"),
    [
        ({}, ["action: Field required", "state: Field required"]),
        ({"action": "cancel", "state": "pending"}, ["give either ids or wanted"]),
        ({"action": "cancel", "state": "pending", "ids": ["a"], "wanted": {}}, ["give either ids or wanted"]),
        ({"action": "cancel", "state": "pending", "ids": []}, ["ids: List should have at least 1 item"]),
        ({"action": "drop", "state": "odd", "wanted": {}}, ["state: Input should be 'pending'"]),
        ({"action": "drop", "state": "dead", "wanted": {"colour": "red"}}, ["wanted.colour: Extra inputs"]),
        ({"action": "replay", "state": "pending", "wanted": {}}, ["replay is for jobs that are dead, not pending"]),
    ],
)
async def test_what_can_not_be_done_is_refused_with_every_fault(site: Site, asked: object, faults: list[str]) -> None:
    document = problem(await site.post(OPERATIONS, asked), 422, "invalid-request")
    assert len(document["faults"]) == len(faults)
    for fault, seen in zip(faults, document["faults"], strict=True):
        assert fault in seen


async def test_bodies_that_are_no_json_or_of_another_type_are_refused(site: Site) -> None:
    problem(
        await site.client.post(OPERATIONS, content=b"{", headers={"Content-Type": "application/json"}), 400, "not-json"
    )
    problem(await site.client.post(OPERATIONS, content=b"a=b"), 415, "unsupported-type")


async def test_an_operation_of_another_queue_is_not_found(site: Site) -> None:
    begun = (await site.post(OPERATIONS, {"action": "cancel", "state": "pending", "wanted": {}})).json()
    problem(await site.get(f"/v1/queues/ai/operations/{begun['id']}"), 404, "not-found")
    problem(await site.client.delete(f"/v1/queues/ai/operations/{begun['id']}"), 404, "not-found")
    problem(await site.get(f"{OPERATIONS}/nothing"), 404, "not-found")
