"""One reconcile for every cause, against a cluster in memory."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.integration.cluster_in_memory import ClusterInMemory, Stored

from edworkers_operator.cluster import ClusterError, Manifest
from edworkers_operator.drain import FINALIZER
from edworkers_operator.plan import FIRST_REPLICAS_MANAGER
from edworkers_operator.queue_reading import COST, QueueReading
from edworkers_operator.reconcile import Reconciler
from edworkers_operator.settings import Capabilities, OperatorSettings, RedisAddress, RenderSettings
from edworkers_operator.view import Key, View

KEY = Key("school", "ai")
NAME = "edworkers-ai"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
EMPTY = QueueReading(0, 0, 0, 0)
SETTINGS = OperatorSettings(
    render=RenderSettings(image="runner:1", redis=RedisAddress(addresses=("redis:6379",))),
    namespace="edworkers",
    identity="o",
    drain_seconds=60,
)


class Story:
    """A pool, what the operator sees of it, and the cluster that it changes."""

    def __init__(self) -> None:
        self.cluster = ClusterInMemory()
        self.view = View(capabilities=Capabilities(keda=True), readings={KEY: EMPTY})
        self.now = NOW
        names = map(str, itertools.count())
        fitting: Any = self.cluster
        self.reconciler = Reconciler(fitting, self.view, SETTINGS, lambda: self.now, lambda: next(names))
        self.metadata: dict[str, Any] = {"name": "ai", "namespace": "school", "generation": 0}

    def edit(self, metadata: dict[str, Any] | None = None, **spec: Any) -> None:
        """Let the user write the pool anew."""
        self.metadata = {**self.metadata, "generation": self.metadata["generation"] + 1, **(metadata or {})}
        self.cluster.objects.setdefault(("WorkerPool", "ai"), Stored("pool")).by["user"] = {
            "apiVersion": "edworkers.dev/v1alpha1",
            "kind": "WorkerPool",
            "metadata": self.metadata,
            "spec": {"queue": "ai", "handlers": "school.ai", **spec},
        }
        self.watch()

    async def reconcile(self) -> float | None:
        """Reconcile, and take in what a watch tells of what came of it."""
        again = await self.reconciler.reconcile(KEY)
        self.watch()
        return again

    def watch(self) -> None:
        self.view.children.clear()
        for kind, name in self.cluster.objects:
            found = self.cluster.read(kind, name)
            assert found is not None
            if kind == "WorkerPool":
                self.view.pools[KEY] = found
            else:
                self.view.saw_child(found, gone=False)

    def condition(self, name: str) -> dict[str, Any]:
        known = self.view.pools[KEY]["status"]["conditions"]
        return next(one for one in known if one["type"] == name)

    @property
    def deployment(self) -> Manifest:
        found = self.cluster.read("Deployment", NAME)
        assert found is not None
        return found

    @property
    def told(self) -> list[str]:
        return [event["reason"] for event in self.cluster.events]


@pytest.fixture
def story() -> Story:
    return Story()


async def test_a_new_pool_gets_all_its_objects_and_a_status(story: Story) -> None:
    story.edit(schedules=[{"name": "nightly", "schedule": "0 3 * * *"}])
    await story.reconcile()
    kinds = [kind for kind, _ in story.cluster.objects]
    assert kinds == [
        *("WorkerPool", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget"),
        *("Deployment", "ScaledObject", "CronJob"),
    ]
    assert story.view.pools[KEY]["status"]["observedGeneration"] == 1


async def test_a_pool_that_is_as_it_should_be_costs_no_call_at_all(story: Story) -> None:
    story.edit()
    for _ in range(3):
        await story.reconcile()
    assert story.condition("Stalled")["status"] == "False"
    story.cluster.calls.clear()
    story.now += timedelta(hours=1)
    for _ in range(3):
        assert await story.reconcile() is None
    assert story.cluster.calls == []


async def test_an_autoscaled_deployment_begins_with_the_least_and_its_number_is_nobody_s_of_ours(story: Story) -> None:
    story.edit(autoscaling={"minReplicas": 0, "maxReplicas": 9})
    await story.reconcile()
    assert story.deployment["spec"]["replicas"] == 0
    holders = [
        name for name, part in story.cluster.objects["Deployment", NAME].by.items() if "replicas" in part["spec"]
    ]
    assert holders == [FIRST_REPLICAS_MANAGER]


async def test_a_running_deployment_that_was_not_seen_yet_keeps_its_pods(story: Story) -> None:
    story.edit()
    await story.reconcile()
    story.cluster.objects["Deployment", NAME].besides = {"spec": {"replicas": 7}}
    story.view.children.clear()
    await story.reconcile()
    assert story.deployment["spec"]["replicas"] == 7
    assert story.cluster.objects["Deployment", NAME].by[FIRST_REPLICAS_MANAGER]["spec"] == {"replicas": 7}


async def test_a_fixed_pool_that_becomes_an_autoscaled_one_keeps_its_pods_until_they_are_scaled(story: Story) -> None:
    story.edit(replicas=4)
    await story.reconcile()
    story.edit(autoscaling={"minReplicas": 0, "maxReplicas": 9})
    await story.reconcile()
    assert story.deployment["spec"]["replicas"] == 4
    assert story.cluster.read("ScaledObject", NAME)
    story.edit(replicas=2)
    await story.reconcile()
    assert story.deployment["spec"]["replicas"] == 2
    assert story.cluster.read("ScaledObject", NAME) is None


async def test_what_the_spec_no_longer_says_is_gone_from_the_pods(story: Story) -> None:
    story.edit(nodeSelector={"zone": "a"})
    await story.reconcile()
    assert story.deployment["spec"]["template"]["spec"]["nodeSelector"] == {"zone": "a"}
    story.edit()
    await story.reconcile()
    assert "nodeSelector" not in story.deployment["spec"]["template"]["spec"]


async def test_what_somebody_added_and_changed_is_put_back_and_told_once(story: Story) -> None:
    story.edit(replicas=2)
    await story.reconcile()
    edit = {"spec": {"replicas": 9, "paused": True}, "kind": "Deployment", "metadata": {}}
    story.cluster.objects["Deployment", NAME].by["kubectl-edit"] = edit
    story.watch()
    await story.reconcile()
    assert story.deployment["spec"]["replicas"] == 2
    assert "paused" not in story.deployment["spec"]
    assert story.told.count("Repaired") == 1
    assert "kubectl-edit" in story.cluster.events[-1]["message"]
    assert [name for name in story.cluster.objects["Deployment", NAME].by if "repair" in name] == []


async def test_what_the_api_server_refuses_is_told_and_does_not_hold_up_the_rest(story: Story) -> None:
    story.edit(replicas=1)
    story.cluster.refuses["NetworkPolicy"] = 403
    with pytest.raises(ClusterError, match="NetworkPolicy is refused"):
        await story.reconcile()
    story.cluster.refuses.clear()
    story.watch()
    degraded = story.condition("Degraded")
    assert (degraded["status"], degraded["reason"]) == ("True", "ApplyFailed")
    assert story.deployment


async def test_an_api_server_that_is_overloaded_is_asked_again_later(story: Story) -> None:
    story.edit(replicas=1)
    story.cluster.refuses["ServiceAccount"] = 503
    with pytest.raises(ClusterError):
        await story.reconcile()
    assert "status" not in story.view.pools[KEY]


async def test_a_spec_that_can_not_be_used_changes_nothing_and_is_told(story: Story) -> None:
    story.edit(replicas=2)
    await story.reconcile()
    before = story.deployment["spec"]
    story.edit(replicas=2, concurrency=-5)
    await story.reconcile()
    assert story.condition("Stalled")["status"] == "True"
    assert story.deployment["spec"] == before


async def test_busy_pods_are_marked_as_the_last_to_be_ended(story: Story) -> None:
    story.edit()
    labels = {"edworkers.dev/pool": "ai"}
    for name in ("idle", "busy"):
        pod: Manifest = {"kind": "Pod", "metadata": {"name": name, "namespace": "school", "labels": labels}}
        story.view.saw_pod(pod, gone=False)
        await story.cluster.apply({"apiVersion": "v1", **pod})
    story.view.readings[KEY] = QueueReading(0, 1, 0, 0, busy={"busy": 1})
    await story.reconcile()
    busy = story.cluster.read("Pod", "busy")
    assert busy is not None
    assert busy["metadata"]["annotations"] == {COST: "100"}
    assert story.cluster.calls.count("patch Pod") == 1


async def _deleted(story: Story, **spec: Any) -> None:
    """Have a pool that is to drain deleted, and seen to be."""
    story.edit(deletionPolicy="Drain")
    await story.reconcile()
    assert story.cluster.objects["WorkerPool", "ai"].finalizers == [FINALIZER]
    story.edit({"deletionTimestamp": "2026-05-01T12:00:00Z"}, deletionPolicy="Drain", **spec)


async def test_a_pool_that_is_to_drain_goes_when_its_queue_was_counted_after_the_deletion_and_is_empty(
    story: Story,
) -> None:
    await _deleted(story)
    # What was counted before may not know of jobs that came just before the deletion.
    assert await story.reconcile() == SETTINGS.poll_seconds
    for reading in (QueueReading(1, 0, 0, 0), QueueReading(0, 1, 0, 0)):
        story.view.readings[KEY] = reading
        assert await story.reconcile() == SETTINGS.poll_seconds
    assert story.cluster.objects["WorkerPool", "ai"].finalizers == [FINALIZER]
    story.view.readings[KEY] = EMPTY
    assert await story.reconcile() is None
    assert story.cluster.objects["WorkerPool", "ai"].finalizers == []
    assert story.told[-1] == "Drained"


async def test_a_pool_that_is_to_drain_goes_with_its_namespace(story: Story) -> None:
    await _deleted(story)
    story.view.children.pop(KEY)
    story.view.readings[KEY] = QueueReading(4, 0, 0, 0)
    assert await story.reconcile() is None
    assert story.cluster.objects["WorkerPool", "ai"].finalizers == []


async def test_a_pool_whose_spec_can_not_be_used_goes_when_its_time_is_up(story: Story) -> None:
    await _deleted(story, concurrency=-5)
    assert await story.reconcile() == SETTINGS.poll_seconds
    story.now += timedelta(seconds=60)
    assert await story.reconcile() is None
    assert story.cluster.objects["WorkerPool", "ai"].finalizers == []


async def test_a_deleted_pool_that_is_held_by_others_is_left_alone(story: Story) -> None:
    story.edit({"deletionTimestamp": "2026-05-01T12:00:00Z"})
    story.cluster.objects["WorkerPool", "ai"].finalizers = ["others/one"]
    story.watch()
    assert await story.reconcile() is None
    assert story.cluster.calls == []


async def test_a_pool_that_has_gone_is_no_work(story: Story) -> None:
    assert await story.reconcile() is None
    assert story.cluster.calls == []
