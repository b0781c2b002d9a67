"""What is said of a pool: conditions with their reasons, counts, limits, schedules."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers_operator.plan import ChildId, Manifest, id_of
from edworkers_operator.pool_status import CONDITIONS, WorkerPoolStatus
from edworkers_operator.queue_reading import LimitReading, QueueReading, Unreadable
from edworkers_operator.settings import Capabilities
from edworkers_operator.status import Found, stalled_status, status_of, timestamp
from edworkers_operator.workerpool import read_worker_pool

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
REASON = re.compile(r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
"""As metav1 has it."""
EMPTY = QueueReading(pending=0, inflight=0, delayed=0, dead=0)
MINUTE = {"name": "minute", "limit": 60, "window": "minute"}
NIGHTLY = {"name": "nightly", "schedule": "0 3 * * *"}
MANY = {"minReplicas": 0, "maxReplicas": 20}


def pool(status: dict[str, Any] | None = None, generation: int = 3, **spec: Any) -> Manifest:
    return {
        "apiVersion": "edworkers.dev/v1alpha1",
        "kind": "WorkerPool",
        "metadata": {"name": "ai", "namespace": "school", "generation": generation},
        "spec": {"queue": "ai", "handlers": "school.ai", **spec},
        **({"status": status} if status else {}),
    }


def deployment(generation: int = 2, conditions: Any = (), **status: int) -> Manifest:
    return {
        "kind": "Deployment",
        "metadata": {"name": "edworkers-ai", "generation": generation},
        "spec": {
            "selector": {"matchLabels": {"b": "2", "a": "1"}},
            "template": {"spec": {"containers": [{"image": "school/ai:7"}]}},
        },
        "status": {"observedGeneration": 2, **status, "conditions": list(conditions)},
    }


def running(replicas: int, available: int | None = None, **more: Any) -> Manifest:
    ready = replicas if available is None else available
    return deployment(replicas=replicas, updatedReplicas=replicas, readyReplicas=ready, availableReplicas=ready, **more)


def scaled(*conditions: dict[str, str]) -> Manifest:
    return {"kind": "ScaledObject", "metadata": {"name": "edworkers-ai"}, "status": {"conditions": list(conditions)}}


def cron_job(name: str = "ai-nightly", **status: str) -> Manifest:
    return {"kind": "CronJob", "metadata": {"name": name}, "status": status}


def pod(name: str = "p", conditions: Any = (), **container: Any) -> Manifest:
    statuses = [container] if container else []
    return {"metadata": {"name": name}, "status": {"containerStatuses": statuses, "conditions": list(conditions)}}


def waiting(reason: str, **more: str) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, **more}}}


READY = scaled({"type": "Ready", "status": "True"})
UNPLACED = {"type": "PodScheduled", "status": "False", "message": "no node has so much memory"}
FAILED = {"terminated": {"exitCode": 2, "reason": "Error", "message": "no such module\n"}}


def found(
    *children: Manifest,
    pods: Any = (),
    reading: QueueReading | Unreadable | None = EMPTY,
    refused: tuple[str, ...] = (),
    keda: bool = True,
) -> Found:
    return Found({id_of(child): child for child in children}, pods, reading, refused, Capabilities(keda=keda))


def write(manifest: Manifest, seen: Found, now: datetime = NOW) -> dict[str, Any]:
    return status_of(read_worker_pool(manifest), manifest, seen, now)


def condition(status: dict[str, Any], name: str) -> dict[str, Any]:
    (one,) = [known for known in status["conditions"] if known["type"] == name]
    found_condition: dict[str, Any] = one
    return found_condition


def check(status: dict[str, Any]) -> None:
    """Say whether the API server would take it."""
    WorkerPoolStatus.model_validate(status, by_alias=True, by_name=False)
    for one in status["conditions"]:
        assert one["type"] in CONDITIONS
        assert REASON.fullmatch(one["reason"])
        assert len(one["message"]) <= 32768
    types = [one["type"] for one in status["conditions"]]
    assert len(types) == len(set(types))


Row = tuple[str, str, str, dict[str, Any], Found]
ROWS: dict[str, Row] = {
    "idle": ("Ready", "True", "Idle", {}, found(running(0), READY)),
    "running": ("Ready", "True", "Running", {}, found(running(3), READY)),
    "a pool that is scaled up stays ready": ("Ready", "True", "Starting", {}, found(running(3, 1), READY)),
    "a fixed pool is ready when all run": ("Ready", "True", "Running", {"replicas": 2}, found(running(2))),
    "a fixed pool is not ready before": ("Ready", "False", "Starting", {"replicas": 2}, found(running(2, 1))),
    "nor before it has any pods": ("Ready", "False", "Starting", {"replicas": 2}, found(running(0))),
    "a fixed pool of none": ("Ready", "True", "Idle", {"replicas": 0}, found(running(0))),
    "suspended": ("Ready", "True", "Suspended", {"suspend": True, "replicas": 2}, found(running(0))),
    "not ready while it rolls out": (
        *("Ready", "False", "RollingOut", {"replicas": 2}),
        found(deployment(replicas=3, updatedReplicas=1, availableReplicas=2)),
    ),
    "not ready without a Deployment": ("Ready", "False", "Creating", {"replicas": 2}, found()),
    "not ready without KEDA": ("Ready", "False", "KEDAMissing", {}, found(running(1), keda=False)),
    "not ready without its CronJobs": (
        *("Ready", "False", "CronJobMissing", {"replicas": 0, "schedules": [NIGHTLY]}),
        found(running(0)),
    ),
    "no node takes its pods": (
        *("Ready", "False", "Unschedulable", {}),
        found(running(1, 0), READY, pods=[pod(conditions=[UNPLACED])]),
    ),
    "some pods find no node": (
        *("Ready", "True", "Starting", {}),
        found(running(2, 1), READY, pods=[pod(conditions=[UNPLACED])]),
    ),
    "fixed": ("ScalerReady", "True", "FixedReplicas", {"replicas": 2}, found(running(2))),
    "no KEDA": ("ScalerReady", "False", "KEDAMissing", {}, found(running(1), keda=False)),
    "no ScaledObject yet": ("ScalerReady", "Unknown", "Pending", {}, found(running(0))),
    "KEDA has said nothing": ("ScalerReady", "Unknown", "Pending", {}, found(running(0), scaled())),
    "KEDA does not know yet": (
        *("ScalerReady", "Unknown", "Pending", {}),
        found(running(0), scaled({"type": "Ready", "status": "Unknown", "message": ""})),
    ),
    "KEDA has a fault": (
        *("ScalerReady", "False", "ScaledObjectNotReady", {}),
        found(running(0), scaled({"type": "Ready", "status": "False", "message": "no such secret"})),
    ),
    "paused by hand": (
        *("ScalerReady", "False", "ScaledObjectPaused", {}),
        found(running(2), scaled({"type": "Ready", "status": "True"}, {"type": "Paused", "status": "True"})),
    ),
    "paused by us": (
        *("ScalerReady", "True", "Suspended", {"suspend": True}),
        found(running(0), scaled({"type": "Paused", "status": "True"})),
    ),
    "held at zero": ("ScalerReady", "True", "Suspended", {"suspend": True}, found(running(0), scaled())),
    "scaled": ("ScalerReady", "True", "ScaledByKEDA", {}, found(running(0), READY)),
    "no schedules": ("SchedulesReady", "True", "NoSchedules", {}, found(running(0), READY)),
    "no CronJob": ("SchedulesReady", "False", "CronJobMissing", {"schedules": [NIGHTLY]}, found(running(0), READY)),
    "schedules": (
        *("SchedulesReady", "True", "CronJobsApplied", {"schedules": [NIGHTLY]}),
        found(running(0), READY, cron_job()),
    ),
    "suspended schedules": (
        *("SchedulesReady", "True", "Suspended", {"schedules": [NIGHTLY], "suspend": True}),
        found(running(0), READY, cron_job()),
    ),
    "not counted yet": ("Throttled", "Unknown", "NotReadYet", {}, found(running(0), READY, reading=None)),
    "not readable": ("Throttled", "Unknown", "QueueUnreadable", {}, found(running(0), reading=Unreadable("down"))),
    "no pods, as a limit is used up": (
        *("Ready", "True", "LimitReached", {}),
        found(running(0), READY, reading=QueueReading(2, 0, 0, 0, throttled=True)),
    ),
    "ready, but blind": ("Ready", "True", "QueueUnreadable", {}, found(running(1), READY, reading=Unreadable("down"))),
    "paused": (
        *("Throttled", "True", "Paused", {}),
        found(running(0), reading=QueueReading(1, 0, 0, 0, paused=True, throttled=True)),
    ),
    "limit": (
        "Throttled",
        "True",
        "LimitReached",
        {},
        found(running(0), reading=QueueReading(1, 0, 0, 0, throttled=True)),
    ),
    "open": ("Throttled", "False", "Open", {}, found(running(0))),
    "no Deployment": ("Progressing", "True", "Creating", {}, found()),
    "the Deployment is new": ("Progressing", "True", "RollingOut", {}, found(deployment(generation=3))),
    "old pods are left": ("Progressing", "True", "RollingOut", {}, found(deployment(replicas=3, updatedReplicas=2))),
    "all pods are new": ("Progressing", "False", "Stable", {}, found(running(3))),
    "refused": ("Degraded", "True", "ApplyFailed", {}, found(running(0), refused=("Deployment a: no",))),
    "pods are forbidden": (
        *("Degraded", "True", "FailedCreate", {}),
        found(running(0, conditions=[{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}])),
    ),
    "pods were forbidden": (
        *("Degraded", "False", "AsExpected", {}),
        found(running(0, conditions=[{"type": "ReplicaFailure", "status": "False", "reason": "FailedCreate"}])),
    ),
    "no image": (
        "Degraded",
        "True",
        "ImagePullBackOff",
        {},
        found(running(1), pods=[pod(**waiting("ImagePullBackOff"))]),
    ),
    "it only starts": (
        "Degraded",
        "False",
        "AsExpected",
        {},
        found(running(1), pods=[pod(**waiting("ContainerCreating"))]),
    ),
    "it waits between two attempts": (
        *("Degraded", "True", "CrashLoopBackOff", {}),
        found(running(1), pods=[pod(**waiting("CrashLoopBackOff"), lastState=FAILED, restartCount=4)]),
    ),
    "it tries again": (
        *("Degraded", "True", "CrashLoopBackOff", {}),
        found(running(1), pods=[pod(state={"running": {}}, lastState=FAILED, restartCount=4, ready=False)]),
    ),
    "it runs since": (
        *("Degraded", "False", "AsExpected", {}),
        found(running(1), pods=[pod(state={"running": {}}, lastState=FAILED, restartCount=4, ready=True)]),
    ),
    "it ended as it should": (
        *("Degraded", "False", "AsExpected", {}),
        found(running(1), pods=[pod(lastState={"terminated": {"exitCode": 0}}, restartCount=1, ready=False)]),
    ),
    "usable": ("Stalled", "False", "SpecUsable", {}, found()),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_each_condition_has_the_reason_that_fits(row: Row) -> None:
    name, status, reason, spec, seen = row
    written = write(pool(**spec), seen)
    check(written)
    one = condition(written, name)
    assert (one["status"], one["reason"]) == (status, reason), one["message"]
    assert one["observedGeneration"] == written["observedGeneration"] == 3


def test_every_condition_is_told_each_time() -> None:
    assert {one["type"] for one in write(pool(), found())["conditions"]} == set(CONDITIONS)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        # 60 a minute of at most 30 s are 30 at once: 10 pods of 3.
        ({"concurrency": 3, "limits": [MINUTE], "job": {"timeoutSeconds": 30}}, "no more than 10 pods of 3 slots busy"),
        ({"concurrency": 4, "limits": [MINUTE], "job": {"timeoutSeconds": 30}}, "no more than 8 pods of 4 slots busy"),
        ({"concurrency": 1, "limits": [MINUTE], "job": {"timeoutSeconds": 0.5}}, "no more than 1 pods of 1 slots busy"),
        (
            {"concurrency": 1, "limits": [MINUTE], "job": {"timeoutSeconds": 20}},
            "KEDA scales by pending and running jobs",
        ),
        ({"concurrency": 1}, "KEDA scales by pending and running jobs"),
        ({"limits": [{**MINUTE, "window": "day"}]}, "KEDA scales by pending and running jobs"),
    ],
)
def test_more_pods_than_the_limits_can_keep_busy_are_said_to_be_waste(spec: dict[str, Any], message: str) -> None:
    written = write(pool(autoscaling=MANY, **spec), found(running(0), READY))
    assert condition(written, "ScalerReady")["message"].endswith(message)


def test_a_scale_step_is_no_rollout_although_it_makes_the_deployment_a_new_generation() -> None:
    before = write(pool(), found(running(1), READY))
    after = write(pool(before), found(running(1, generation=3), READY))
    assert condition(after, "Ready")["status"] == "True"
    assert after["conditions"] == before["conditions"]


def test_a_rollout_goes_on_until_its_controller_has_seen_it() -> None:
    first = write(pool({"observedGeneration": 2, "conditions": []}), found(running(1, generation=3), READY))
    second = write(pool(first), found(running(1, generation=3), READY))
    assert condition(second, "Progressing")["reason"] == "RollingOut"
    assert condition(write(pool(second), found(running(1), READY)), "Progressing")["reason"] == "Stable"


def test_a_throttled_queue_says_what_is_used_up_and_when_it_opens() -> None:
    limits = (LimitReading("day", 5, 5, 1_777_680_000_000), LimitReading("month", 6, 100, 1_780_000_000_000))
    reading = QueueReading(9, 0, 0, 0, throttled=True, opens_at=1_777_680_000_400, limits=limits)
    message = condition(write(pool(), found(running(0), READY, reading=reading)), "Throttled")["message"]
    assert message == "used up: day (5 of 5); it opens at 2026-05-02T00:00:00Z"


def test_a_runner_that_can_not_start_is_quoted() -> None:
    bad = pod("edworkers-ai-x", **waiting("CrashLoopBackOff"), lastState=FAILED, restartCount=1)
    message = condition(write(pool(), found(running(1), READY, pods=[pod("a"), bad])), "Ready")["message"]
    assert message == "pod edworkers-ai-x: it ends again and again (Error, exit code 2): no such module"


def test_an_image_that_can_not_be_pulled_is_told_in_the_words_of_the_node() -> None:
    bad = pod("b", **waiting("ErrImagePull", message="no such tag\n"))
    assert condition(write(pool(), found(running(1), pods=[bad])), "Degraded")["message"] == "pod b: no such tag"


def test_what_was_counted_is_told() -> None:
    limits = (LimitReading("minute", 0, 60), LimitReading("day", 2, 9, 1_777_680_000_999))
    reading = QueueReading(pending=4, inflight=3, delayed=2, dead=1, oldest_seconds=17, limits=limits)
    written = write(pool(), found(running(3, 2), READY, reading=reading))
    check(written)
    assert written["queue"] == {"pending": 4, "inflight": 3, "delayed": 2, "dead": 1, "oldestSeconds": 17}
    assert written["limits"] == [
        {"name": "minute", "used": 0, "limit": 60},
        {"name": "day", "used": 2, "limit": 9, "resetsAt": "2026-05-02T00:00:00Z"},
    ]
    assert (written["replicas"], written["readyReplicas"]) == (3, 2)
    assert (written["selector"], written["image"]) == ("a=1,b=2", "school/ai:7")


@pytest.mark.parametrize("reading", [None, Unreadable("Redis can't be used: no route")])
def test_what_could_not_be_read_keeps_its_last_figures(reading: Unreadable | None) -> None:
    before = write(pool(), found(running(0), reading=QueueReading(4, 3, 2, 1, limits=(LimitReading("day", 1, 2),))))
    after = write(pool(before), found(running(0), reading=reading))
    assert (after["queue"], after["limits"]) == (before["queue"], before["limits"])


def test_a_pool_that_was_never_counted_shows_no_figures() -> None:
    written = write(pool(), found(reading=None))
    assert written.keys().isdisjoint({"queue", "limits", "selector", "image"})


def test_each_schedule_shows_when_it_fired() -> None:
    spec: dict[str, Any] = {"schedules": [NIGHTLY, {"name": "new", "schedule": "* * * * *"}]}
    fired = cron_job(lastScheduleTime="2026-05-01T03:00:00Z", lastSuccessfulTime="2026-05-01T03:00:04Z", uid="x")
    written = write(pool(**spec), found(running(0), READY, fired))
    check(written)
    assert written["schedules"] == [
        {
            "name": "nightly",
            "cronJob": "ai-nightly",
            "lastScheduleTime": "2026-05-01T03:00:00Z",
            "lastSuccessfulTime": "2026-05-01T03:00:04Z",
        },
        {"name": "new", "cronJob": "ai-new"},
    ]


SEEN = st.sampled_from([row[4] for row in ROWS.values() if not row[3]])


@given(st.lists(st.tuples(SEEN, st.integers(1, 1000)), min_size=2, max_size=6))
def test_the_time_of_a_transition_is_that_of_the_last_change_of_status(steps: list[tuple[Found, int]]) -> None:
    now, since, manifest = NOW, dict[str, tuple[str, str]](), pool()
    for seen, seconds in steps:
        now += timedelta(seconds=seconds)
        written = write(manifest, seen, now)
        check(written)
        for one in written["conditions"]:
            if since.get(one["type"], ("", ""))[0] != one["status"]:
                since[one["type"]] = (one["status"], timestamp(now.timestamp() * 1000))
            assert one["lastTransitionTime"] == since[one["type"]][1]
        manifest = pool(written)


def test_a_spec_that_can_not_be_used_stalls_the_pool_and_keeps_the_rest_of_its_status() -> None:
    before = write(pool(), found(running(3), READY, reading=QueueReading(4, 0, 0, 0)))
    written = stalled_status(pool(before, generation=4), ["spec.a: no", "spec.b: neither"], NOW)
    check(written)
    assert (written["queue"], written["replicas"], written["observedGeneration"]) == (before["queue"], 3, 4)
    stalled = condition(written, "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "InvalidSpec")
    assert "spec.a: no; spec.b: neither. Correct the spec" in stalled["message"]
    assert condition(written, "Ready")["status"] == "False"


def test_a_message_is_never_longer_than_the_api_takes() -> None:
    check(stalled_status(pool(), ["x" * 40_000], NOW))
    check(write(pool(), found(running(0), refused=("y" * 40_000,))))


def test_a_time_is_written_in_utc_to_the_second() -> None:
    assert timestamp(1_777_680_000_999.7) == "2026-05-02T00:00:00Z"


def test_a_pool_has_one_object_of_a_kind() -> None:
    seen = found(running(0), cron_job())
    assert seen.only("Deployment") == seen.children[ChildId("Deployment", "edworkers-ai")]
    assert seen.only("ScaledObject") is None
