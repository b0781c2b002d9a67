"""From what was found of a pool to its status: conditions, counts, limits, schedules. Pure.

Conditions are those of the API conventions, so that `kubectl wait`, Argo CD and Flux understand them. What couldn't be
read never counts as zero: the last figures stay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from typing import Any, NamedTuple

from edworkers.core.settings import Autoscaling
from edworkers_operator.plan import ChildId
from edworkers_operator.queue_reading import QueueReading, Unreadable
from edworkers_operator.settings import Capabilities
from edworkers_operator.workerpool import WorkerPool, WorkerPoolSpec

Manifest = Mapping[str, Any]

_CRASHING = "CrashLoopBackOff"
_LONGEST_LOG = 400
_LONGEST_MESSAGE = 32768
"""As the API allows it."""
_CANT_START = frozenset(
    {
        _CRASHING,
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)
"""Why a container waits, where waiting alone doesn't help."""


class Fact(NamedTuple):
    """One condition, before it is known since when it holds."""

    type: str
    status: str
    """`True`, `False` or `Unknown`."""
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of a pool in the cluster and in Redis."""

    children: Mapping[ChildId, Manifest]
    pods: Sequence[Manifest] = ()
    reading: QueueReading | Unreadable | None = None
    refused: tuple[str, ...] = ()
    """What the API server refused to apply, and why."""
    capabilities: Capabilities = field(default_factory=Capabilities)

    def only(self, kind: str) -> Manifest | None:
        """Give the object of a kind of which a pool has one."""
        return next((child for child_id, child in self.children.items() if child_id.kind == kind), None)


def status_of(pool: WorkerPool, manifest: Manifest, found: Found, now: datetime) -> dict[str, Any]:
    """Write the status of a pool whose spec can be used."""
    deployment = found.only("Deployment") or {}
    facts = [
        scaler_ready(pool.spec, found),
        schedules_ready(pool, found),
        throttled(found.reading),
        progressing(deployment, manifest),
        degraded(found),
        Fact("Stalled", "False", "SpecUsable"),
    ]
    facts = [ready(pool.spec, deployment, found.pods, facts), *facts]
    counts = deployment.get("status", {})
    status: dict[str, Any] = {
        **_kept(manifest),
        "observedGeneration": manifest["metadata"]["generation"],
        "conditions": conditions(facts, manifest, now),
        "replicas": counts.get("replicas", 0),
        "readyReplicas": counts.get("readyReplicas", 0),
        "schedules": _schedules(pool, found),
    }
    if deployment:
        labels = deployment["spec"]["selector"]["matchLabels"]
        status["selector"] = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
        status["image"] = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    return {**status, **_counted(found.reading)}


def stalled_status(manifest: Manifest, faults: Sequence[str], now: datetime) -> dict[str, Any]:
    """Write the status of a pool whose spec can't be used; its objects stay as they are."""
    message = "; ".join(faults)
    facts = [
        Fact("Ready", "False", "InvalidSpec", message),
        Fact("Stalled", "True", "InvalidSpec", f"{message}. Correct the spec: nothing is changed until then."),
    ]
    return {
        **manifest.get("status", {}),
        "observedGeneration": manifest["metadata"]["generation"],
        "conditions": conditions(facts, manifest, now),
    }


def scaler_ready(spec: WorkerPoolSpec, found: Found) -> Fact:
    """Tell whether something sees to the number of pods."""
    if spec.replicas is not None:
        return Fact("ScalerReady", "True", "FixedReplicas", f"{spec.replicas} replicas, as the spec says")
    if not found.capabilities.keda:
        return Fact("ScalerReady", "False", "KEDAMissing", _without_keda(spec))
    scaled_object = found.only("ScaledObject")
    if scaled_object is None:
        return Fact("ScalerReady", "Unknown", "Pending", "the ScaledObject isn't there yet")
    if spec.suspend:
        return Fact("ScalerReady", "True", "Suspended", "scaled to zero until suspend is false")
    if (_condition(scaled_object, "Paused") or {}).get("status") == "True":
        annotations = "its annotations autoscaling.keda.sh/paused and paused-replicas"
        paused = f"somebody paused the ScaledObject, so nothing is scaled; take {annotations} away"
        return Fact("ScalerReady", "False", "ScaledObjectPaused", paused)
    told = _condition(scaled_object, "Ready")
    if told is None or told["status"] == "Unknown":
        return Fact("ScalerReady", "Unknown", "Pending", "KEDA hasn't looked at the ScaledObject yet")
    if told["status"] != "True":
        return Fact("ScalerReady", "False", "ScaledObjectNotReady", f"KEDA says: {told.get('message', '')}")
    return Fact("ScalerReady", "True", "ScaledByKEDA", _waste(spec) or "KEDA scales by pending and running jobs")


def _without_keda(spec: WorkerPoolSpec) -> str:
    least = max((spec.autoscaling or Autoscaling()).min_replicas, 1)
    return f"KEDA is not installed in this cluster, so {least} pod(s) run all the time; install KEDA to scale"


def _waste(spec: WorkerPoolSpec) -> str:
    """Say how many pods can be busy at most, where limits allow fewer than may be started."""
    most = (spec.autoscaling or Autoscaling()).max_replicas
    minutes = [window.limit for window in spec.limits if window.window == "minute"]
    if not minutes:
        return ""
    useful = ceil(max(1, minutes[0] * spec.job.timeout_seconds / 60) / spec.concurrency)
    if most <= useful:
        return ""
    return (
        f"maxReplicas is {most}, but {minutes[0]} jobs a minute of at most {spec.job.timeout_seconds:g} s"
        f" keep no more than {useful} pods of {spec.concurrency} slots busy"
    )


def schedules_ready(pool: WorkerPool, found: Found) -> Fact:
    """Tell whether each schedule has its CronJob."""
    wanted = {f"{pool.metadata.name}-{schedule.name}" for schedule in pool.spec.schedules}
    if not wanted:
        return Fact("SchedulesReady", "True", "NoSchedules", "the pool has no schedules")
    missing = sorted(wanted - {child.name for child in found.children if child.kind == "CronJob"})
    if missing:
        return Fact("SchedulesReady", "False", "CronJobMissing", f"not there yet: {', '.join(missing)}")
    if pool.spec.suspend:
        return Fact("SchedulesReady", "True", "Suspended", "nothing is enqueued until suspend is false")
    return Fact("SchedulesReady", "True", "CronJobsApplied", f"{_count(len(wanted), 'CronJob')} as the spec says")


def throttled(reading: QueueReading | Unreadable | None) -> Fact:
    """Tell whether pods are held back although jobs may wait."""
    if reading is None:
        return Fact("Throttled", "Unknown", "NotReadYet", "the queue hasn't been counted yet")
    if isinstance(reading, Unreadable):
        return Fact("Throttled", "Unknown", "QueueUnreadable", f"{reading.reason}; KEDA keeps the pods that there are")
    if reading.paused:
        return Fact("Throttled", "True", "Paused", "somebody paused the queue; `edworkers resume` opens it again")
    if reading.throttled:
        return Fact("Throttled", "True", "LimitReached", _when(reading))
    return Fact("Throttled", "False", "Open", "jobs may run")


def _when(reading: QueueReading) -> str:
    used_up = [f"{limit.name} ({limit.used} of {limit.limit})" for limit in reading.limits if limit.used >= limit.limit]
    opens = f"; it opens at {timestamp(reading.opens_at)}" if reading.opens_at else ""
    if not used_up:  # it was raised since, or a service asked for a pause
        return f"closed when a limit was used up{opens}, or now by `edworkers resume`"
    return f"used up: {', '.join(used_up)}{opens}"


def progressing(deployment: Manifest, manifest: Manifest) -> Fact:
    """Tell whether pods are being replaced by new ones.

    Whoever scales a Deployment makes it a new generation, too. So one that its controller hasn't seen yet is a rollout
    only where the pool's spec is new, until it has been seen.
    """
    if not deployment:
        return Fact("Progressing", "True", "Creating", "the Deployment isn't there yet")
    status, metadata = deployment.get("status", {}), deployment["metadata"]
    replicas, updated = status.get("replicas", 0), status.get("updatedReplicas", 0)
    is_unseen = status.get("observedGeneration", 0) < metadata.get("generation", 0)
    if is_unseen and (_is_new(manifest) or (_condition(manifest, "Progressing") or {}).get("status") == "True"):
        return Fact("Progressing", "True", "RollingOut", "the Deployment has just been changed")
    if updated < replicas:
        return Fact("Progressing", "True", "RollingOut", f"{updated} of {_count(replicas, 'pod')} as the spec says")
    return Fact("Progressing", "False", "Stable", f"{_count(replicas, 'pod')} as the spec says")


def _is_new(manifest: Manifest) -> bool:
    return bool(manifest.get("status", {}).get("observedGeneration") != manifest["metadata"]["generation"])


def degraded(found: Found) -> Fact:
    """Tell whether something failed that won't mend itself."""
    if found.refused:
        return Fact("Degraded", "True", "ApplyFailed", "; ".join(found.refused))
    unmade = _condition(found.only("Deployment") or {}, "ReplicaFailure")
    if unmade is not None and unmade["status"] == "True":
        return Fact("Degraded", "True", unmade["reason"], f"pods can't be made: {unmade.get('message', '')}")
    for pod in sorted(found.pods, key=lambda pod: str(pod["metadata"]["name"])):
        for container in pod.get("status", {}).get("containerStatuses", ()):
            if (fault := _fault_of(container)) is not None:
                reason, said = fault
                return Fact("Degraded", "True", reason, f"pod {pod['metadata']['name']}: {said}")
    return Fact("Degraded", "False", "AsExpected", "nothing failed")


def _fault_of(container: Manifest) -> tuple[str, str] | None:
    """Say why a container can't run, in one word and in many; None where it runs, or is only about to."""
    state, last = container.get("state", {}), container.get("lastState", {}).get("terminated", {})
    waiting = state.get("waiting", {})
    if waiting.get("reason") in _CANT_START - {_CRASHING}:
        return waiting["reason"], waiting.get("message", "").strip() or "it can't start"
    # Between two attempts it waits, or runs for a moment: that is the same fault, and no news.
    failed = container.get("restartCount", 0) > 0 and not container.get("ready") and last.get("exitCode", 0) != 0
    if waiting.get("reason") == _CRASHING or failed:
        said = last.get("message", "").strip()[-_LONGEST_LOG:]
        why = f"{last.get('reason', 'Error')}, exit code {last.get('exitCode', '?')}"
        return _CRASHING, f"it ends again and again ({why})" + (f": {said}" if said else "")
    return None


def ready(spec: WorkerPoolSpec, deployment: Manifest, pods: Sequence[Manifest], facts: Sequence[Fact]) -> Fact:
    """Sum up: is the pool as its spec says? A pool without pods, as there are no jobs, is ready."""
    known = {fact.type: fact for fact in facts}
    for name, wanted in (("Degraded", "False"), ("ScalerReady", "True"), ("SchedulesReady", "True")):
        fact = known[name]
        if fact.status != wanted:
            return Fact("Ready", "False", fact.reason, fact.message)
    if known["Progressing"].status == "True":
        return Fact("Ready", "False", known["Progressing"].reason, known["Progressing"].message)
    by_pods = _ready_by_pods(spec, deployment.get("status", {}), _unplaced(pods))
    blind = known["Throttled"]
    if by_pods.status == "True" and blind.reason == "QueueUnreadable":
        # The pods are as they should be, but what else is shown is of the past, and jobs can hardly be done.
        return by_pods._replace(reason=blind.reason, message=f"{by_pods.message}; {blind.message}")
    if by_pods.reason == "Idle" and blind.status == "True":
        return by_pods._replace(reason=blind.reason, message=f"no pods: {blind.message}")
    return by_pods


def _unplaced(pods: Sequence[Manifest]) -> str:
    """Say why a pod finds no node."""
    scheduled = [_condition(pod, "PodScheduled") or {} for pod in pods]
    return next((str(told.get("message", "")) for told in scheduled if told.get("status") == "False"), "")


def _ready_by_pods(spec: WorkerPoolSpec, counts: Manifest, unplaced: str) -> Fact:
    replicas, available = max(counts.get("replicas", 0), spec.replicas or 0), counts.get("availableReplicas", 0)
    if spec.suspend:
        return Fact("Ready", "True", "Suspended", "no pods run until suspend is false")
    if replicas == 0:
        why = "as there are no jobs to run" if spec.replicas is None else "as the spec says"
        return Fact("Ready", "True", "Idle", f"no pods, {why}")
    if available == 0 and unplaced:
        return Fact("Ready", "False", "Unschedulable", f"no node takes the pool's pods: {unplaced}")
    if available < replicas:
        starting = f"{available} of {_count(replicas, 'pod')} available"
        return Fact("Ready", "False" if spec.replicas is not None else "True", "Starting", starting)
    return Fact("Ready", "True", "Running", f"{_count(replicas, 'pod')} available")


def conditions(facts: Sequence[Fact], manifest: Manifest, now: datetime) -> list[dict[str, Any]]:
    """Write conditions; one whose status is as it was keeps the time since when."""
    before = {known["type"]: known for known in manifest.get("status", {}).get("conditions", ())}
    out: list[dict[str, Any]] = []
    for fact in facts:
        old = before.get(fact.type, {})
        since = old["lastTransitionTime"] if old.get("status") == fact.status else timestamp(now.timestamp() * 1000)
        out.append(
            {
                **fact._asdict(),
                "message": fact.message[:_LONGEST_MESSAGE],
                "lastTransitionTime": since,
                "observedGeneration": manifest["metadata"]["generation"],
            }
        )
    return out


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def timestamp(milliseconds: float) -> str:
    """Write a time (Unix ms) as the API does: RFC 3339, in UTC, to the second."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _condition(child: Manifest, name: str) -> Manifest | None:
    return next((known for known in child.get("status", {}).get("conditions", ()) if known["type"] == name), None)


def _kept(manifest: Manifest) -> dict[str, Any]:
    """Give the figures of the last reading, which stay until there is a new one."""
    return {name: value for name, value in manifest.get("status", {}).items() if name in {"queue", "limits"}}


def _counted(reading: QueueReading | Unreadable | None) -> dict[str, Any]:
    if not isinstance(reading, QueueReading):
        return {}
    return {
        "queue": {
            "pending": reading.pending,
            "inflight": reading.inflight,
            "delayed": reading.delayed,
            "dead": reading.dead,
            "oldestSeconds": reading.oldest_seconds,
        },
        "limits": [
            {
                "name": limit.name,
                "used": limit.used,
                "limit": limit.limit,
                **({"resetsAt": timestamp(limit.resets_at)} if limit.resets_at else {}),
            }
            for limit in reading.limits
        ],
    }


def _schedules(pool: WorkerPool, found: Found) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for schedule in pool.spec.schedules:
        name = f"{pool.metadata.name}-{schedule.name}"
        status = found.children.get(ChildId("CronJob", name), {}).get("status", {})
        times = {key: status[key] for key in ("lastScheduleTime", "lastSuccessfulTime") if key in status}
        out.append({"name": schedule.name, "cronJob": name, **times})
    return out
