"""What the operator takes for 10, 100 and 500 pools, in a real cluster: `make bench-operator`.

    KUBECONFIG=… PYTHONPATH=. python bench/reconcile.py [POOLS …]

Installs the chart in a namespace of its own, as the end-to-end tests do, and removes it. For each number it applies so
many pools without pods at once, waits until all are ready, asks the active operator for its own metrics, leaves it be
for a while, and applies a change to one pool after the other. KEDA looks at each pool every 300 s, so that it is the
operator that is measured. The cluster's control plane has the same processors as the operator. For each number is told:

applied_s, ready_s  until kubectl had applied them, and until all were ready
reconciles, cpu_ms  how many a pool, and the operator's processor time for a pool, until all was quiet
mean_ms             how long one of these reconciles took, most of it waiting for the API
idle_%, MiB         of one core, while nothing changed, and resident memory
change_s            from `kubectl patch` until the pool's ScaledObject has the change, with kubectl's own start twice
change_ms           how long the reconcile of such a change took
"""

import statistics
import sys
import time
from dataclasses import dataclass

import report
from prometheus_client.parser import text_string_to_metric_families
from tests.cluster.kube import Kube, command, eventually, holder, worker_pool
from tests.cluster.release import install, restricted_namespace

POOLS = (10, 100, 500)
REST_SECONDS = 30.0
CHANGES = 20
_BATCH = 50
_DURATION = "edworkers_operator_reconcile_duration_seconds"


@dataclass(frozen=True, slots=True)
class Look:
    """What the active operator told of itself at one moment."""

    at: float
    cpu: float
    """Processor seconds."""
    memory: float
    """Resident bytes."""
    depth: float
    """Pools that wait for a reconcile."""
    reconciles: float
    seconds: float
    """How long all reconciles took."""


def main(counts: tuple[int, ...]) -> None:
    """Measure each number of pools, and show all."""
    command("kubectl", "apply", "--server-side", "--force-conflicts", "-f", "manifests/crd.yaml")
    with restricted_namespace("edworkers-e2e") as kube:
        install(kube, "edworkers")
        try:
            rows = [measure(kube, count) for count in counts]
        finally:
            words = ("helm", "uninstall", "edworkers", "--namespace", kube.namespace, "--wait", "--timeout", "2m")
            command(*words)
    report.show({"operator": rows})


def measure(kube: Kube, count: int) -> dict[str, object]:
    """Measure with so many pools; they are removed again."""
    names = [f"bench-{number}" for number in range(count)]
    pools = [worker_pool(name, autoscaling={"pollingIntervalSeconds": 300}) for name in names]
    before = settled(kube)
    began = time.monotonic()
    try:
        for at in range(0, count, _BATCH):
            kube.apply(*pools[at : at + _BATCH])
        applied = time.monotonic()
        for at in range(0, count, _BATCH):
            eventually(lambda at=at: are_ready(kube, names[at : at + _BATCH]))  # type: ignore[misc]
        ready = time.monotonic()
        made = settled(kube)
        eventually(lambda: time.monotonic() - made.at > REST_SECONDS)
        rested = look(kube)
        changes = [change(kube, name) for name in names[:CHANGES]]
        changed = settled(kube)
    finally:
        for at in range(0, count, _BATCH):
            kube.run("delete", "workerpool", *names[at : at + _BATCH], "--ignore-not-found", "--wait=true")
    return {
        "pools": count,
        "applied_s": round(applied - began, 1),
        "ready_s": round(ready - began, 1),
        "reconciles": round((made.reconciles - before.reconciles) / count, 1),
        "mean_ms": mean_ms(before, made),
        "cpu_ms": round((made.cpu - before.cpu) / count * 1000, 1),
        "idle_%": round((rested.cpu - made.cpu) / (rested.at - made.at) * 100, 1),
        "MiB": round(rested.memory / 2**20),
        "change_s": round(statistics.median(changes), 2),
        "change_ms": mean_ms(rested, changed),
    }


def mean_ms(before: Look, after: Look) -> float:
    """Give how long a reconcile took between two looks."""
    return round((after.seconds - before.seconds) / max(after.reconciles - before.reconciles, 1) * 1000, 1)


def are_ready(kube: Kube, names: list[str]) -> bool:
    """Tell whether all of these pools are ready."""
    path = "jsonpath={range .items[*]}{.status.conditions[?(@.type=='Ready')].status} {end}"
    states = kube.run("get", "workerpools", *names, "-o", path).split()
    return states == ["True"] * len(names)


def change(kube: Kube, name: str) -> float:
    """Change a pool's bound; returns after how many seconds its ScaledObject has it."""
    began = time.monotonic()
    kube.run("patch", "workerpool", name, "--type=merge", "-p", '{"spec":{"autoscaling":{"maxReplicas":7}}}')
    path = "jsonpath={.spec.maxReplicaCount}"
    eventually(lambda: kube.run("get", "scaledobject", f"edworkers-{name}", "-o", path) == "7")
    return time.monotonic() - began


def look(kube: Kube) -> Look:
    """Ask the active operator for its metrics."""
    path = f"/api/v1/namespaces/{kube.namespace}/pods/{holder(kube)}:8080/proxy/metrics"
    told = {
        sample.name: sample.value
        for family in text_string_to_metric_families(kube.run("get", "--raw", path))
        for sample in family.samples
        if not sample.labels
    }
    return Look(
        time.monotonic(),
        told["process_cpu_seconds_total"],
        told["process_resident_memory_bytes"],
        told["edworkers_operator_work_queue_depth"],
        told[f"{_DURATION}_count"],
        told[f"{_DURATION}_sum"],
    )


def settled(kube: Kube) -> Look:
    """Wait until no pool waits for a reconcile; returns what the operator told then."""

    def at_rest() -> Look | None:
        found = look(kube)
        return found if found.depth == 0 else None

    return eventually(at_rest)


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or POOLS)
