"""The settings of a pool in words. Pure."""

from edworkers.core.settings import PoolSpec
from edworkers.server.dashboard import wording


def settings_in_words(spec: PoolSpec) -> list[tuple[str, str]]:
    """Give names of settings, and what they are, for people."""
    rows = [
        ("Handlers", spec.handlers),
        ("Slots", f"{wording.plural(spec.concurrency, 'job')} at once in a runner{_most(spec)}"),
        ("Size", _size(spec)),
        ("Limits", "; ".join(window.in_words for window in spec.limits) or "none"),
        ("Fair shares", _groups(spec)),
        ("Time for one attempt", wording.length(spec.job.timeout_seconds)),
        ("Attempts", _attempts(spec)),
        ("Where a job runs", _isolation(spec)),
        ("Records kept", _retention(spec)),
        ("Lease", f"a silent runner's jobs go to another after {wording.length(spec.lease_seconds)}"),
    ]
    return rows if not spec.suspend else [("Suspended", "its pods are stopped, and jobs wait"), *rows]


def _most(spec: PoolSpec) -> str:
    return "" if spec.max_inflight is None else f", {wording.count(spec.max_inflight)} in all runners"


def _size(spec: PoolSpec) -> str:
    if spec.replicas is not None:
        return f"{wording.plural(spec.replicas, 'pod')}, always"
    scaling = spec.autoscaling
    if scaling is None:
        return "by default: 0 to 10 pods, by the jobs that wait or run"
    target = scaling.target_per_replica or spec.concurrency
    jobs = wording.plural(target, "job")
    return f"{scaling.min_replicas} to {wording.plural(scaling.max_replicas, 'pod')}, one for each {jobs}"


def _groups(spec: PoolSpec) -> str:
    groups = spec.groups
    if groups is None:
        return "no: first come, first served"
    words = "between groups" + (f" by {groups.by}" if groups.by else "")
    if groups.max_inflight is not None:
        words += f", {wording.plural(groups.max_inflight, 'job')} of one at once"
    if groups.circuit is not None:
        words += f"; a group waits after {wording.plural(groups.circuit.failures, 'failure')} in a row"
    return words


def _attempts(spec: PoolSpec) -> str:
    backoff = spec.job.backoff
    if spec.job.max_attempts == 1:
        return "1: it isn't tried again"
    first, most = wording.length(backoff.initial_seconds), wording.length(backoff.max_seconds)
    return f"{spec.job.max_attempts}, the first wait {first}, each {backoff.factor:g} times as long, at most {most}"


def _isolation(spec: PoolSpec) -> str:
    memory = f", with {wording.size(spec.job.memory)} of memory" if spec.job.memory is not None else ""
    return {"task": "in its runner", "process": "in a process of its own", None: "as its handler asks"}[
        spec.job.isolation
    ] + memory


def _retention(spec: PoolSpec) -> str:
    kept = spec.retention
    results = wording.length(kept.result_seconds) if kept.result_seconds else "not at all"
    return f"results {results}, dead jobs {wording.length(kept.dead_seconds)}, at most {wording.size(kept.max_bytes)}"
