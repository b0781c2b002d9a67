"""What the operator knows of the cluster, as watches and listings tell it."""

from typing import Any

import pytest

from edworkers_operator.naming import POOL_LABEL
from edworkers_operator.plan import ChildId, Manifest
from edworkers_operator.queue_reading import QueueReading
from edworkers_operator.view import Key, View, owner_of, version_of

AI = Key("school", "ai")


def thing(kind: str, name: str = "x", version: int = 1, uid: str = "u", pool: str | None = "ai") -> Manifest:
    metadata: dict[str, Any] = {"namespace": "school", "name": name, "uid": uid, "resourceVersion": str(version)}
    if pool:
        metadata["labels"] = {POOL_LABEL: pool}
    return {"kind": kind, "metadata": metadata}


def pool(name: str = "ai", version: int = 1, uid: str = "u") -> Manifest:
    return thing("WorkerPool", name, version, uid, pool=None)


def child(name: str = "x", version: int = 1, uid: str = "u") -> Manifest:
    return thing("Deployment", name, version, uid)


def pod(name: str = "x", version: int = 1, uid: str = "u") -> Manifest:
    return thing("Pod", name, version, uid)


def test_an_object_belongs_to_the_pool_that_its_label_names() -> None:
    assert owner_of(child()) == AI
    assert owner_of(thing("Deployment", pool=None)) is None


def test_what_belongs_to_no_pool_is_not_taken_in() -> None:
    view = View()
    assert view.saw_child(thing("Deployment", pool=None), gone=False) is None
    assert view.saw_pod(thing("Pod", pool=None), gone=False) is None
    assert (view.children, view.pods) == ({}, {})


def test_what_comes_and_goes_is_found_under_its_pool() -> None:
    view = View()
    assert view.saw_pool(pool(), gone=False) == AI
    assert view.saw_child(child(), gone=False) == AI
    assert view.saw_pod(pod(), gone=False) == AI
    assert view.pools == {AI: pool()}
    assert view.children == {AI: {ChildId("Deployment", "x"): child()}}
    assert view.pods == {AI: {"x": pod()}}
    assert view.saw_child(child(), gone=True) == AI
    assert view.saw_pod(pod(), gone=True) == AI
    assert view.saw_pool(pool(), gone=True) == AI
    assert (view.pools, view.children, view.pods) == ({}, {}, {})


def test_what_goes_without_having_come_changes_nothing() -> None:
    view = View()
    view.saw_child(child("other"), gone=False)
    view.saw_child(child(), gone=True)
    view.saw_pool(pool(), gone=True)
    assert view.children == {AI: {ChildId("Deployment", "other"): child("other")}}


def test_a_pool_that_goes_takes_along_what_was_known_of_its_queue() -> None:
    view = View(pools={AI: pool()}, readings={AI: QueueReading(1, 0, 0, 0)}, draining={AI})
    view.saw_pool(pool(version=2), gone=False)
    assert (AI in view.readings, AI in view.draining) == (True, True)
    view.saw_pool(pool(version=3), gone=True)
    assert (view.readings, view.draining) == ({}, set())


@pytest.mark.parametrize(
    ("next_one", "is_taken"),
    [
        pytest.param(child(version=9), True, id="a newer version"),
        pytest.param(child(version=8), True, id="the same again"),
        pytest.param(child(version=7), False, id="an older version that comes late"),
        pytest.param(child(version=7, uid="another"), True, id="another object of that name"),
    ],
)
def test_an_object_never_goes_back_in_time(next_one: Manifest, *, is_taken: bool) -> None:
    view = View()
    view.saw_child(child(version=8), gone=False)
    view.saw_child(next_one, gone=False)
    assert view.children[AI][ChildId("Deployment", "x")] == (next_one if is_taken else child(version=8))


def test_a_listing_takes_the_place_of_what_was_known() -> None:
    view = View(readings={AI: QueueReading(1, 0, 0, 0)})
    for name in ("lost", "kept"):
        view.saw_pool(pool(name), gone=False)
        view.saw_child(child(name), gone=False)
        view.saw_pod(pod(name), gone=False)
    view.begin_listing()
    keys = view.relist([pool("kept")], [child("new")], [pod("new")])
    assert keys == {Key("school", "kept"), AI}
    assert view.pools == {Key("school", "kept"): pool("kept")}
    assert view.children == {AI: {ChildId("Deployment", "new"): child("new")}}
    assert view.pods == {AI: {"new": pod("new")}}
    assert AI in view.readings


def test_what_a_watch_told_during_a_listing_is_newer_than_the_listing() -> None:
    view = View()
    view.saw_pool(pool("changed"), gone=False)
    view.saw_pool(pool("gone"), gone=False)
    view.begin_listing()
    listed = [pool("changed"), pool("gone")]
    view.saw_pool(pool("changed", version=2), gone=False)
    view.saw_pool(pool("gone"), gone=True)
    view.saw_pool(pool("made"), gone=False)
    view.saw_child(child(version=5), gone=False)
    view.saw_pod(pod(), gone=False)
    view.relist(listed, [child(version=4)], [])
    assert view.pools == {
        Key("school", "changed"): pool("changed", version=2),
        Key("school", "made"): pool("made"),
    }
    assert view.children[AI] == {ChildId("Deployment", "x"): child(version=5)}
    assert view.pods[AI] == {"x": pod()}


def test_a_listing_that_nobody_announced_is_taken_as_it_is() -> None:
    view = View()
    view.saw_pool(pool("lost"), gone=False)
    assert view.relist([], [], []) == set()
    assert view.pools == {}


@pytest.mark.parametrize(
    ("metadata", "version"),
    [
        ({"uid": "u", "generation": 3, "resourceVersion": "9"}, ("u", 3)),
        ({"uid": "u"}, None),
        ({"generation": 1}, None),
    ],
)
def test_the_version_of_a_spec_is_not_that_of_its_status(metadata: Any, version: Any) -> None:
    assert version_of({"metadata": metadata}) == version
