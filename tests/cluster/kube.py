"""kubectl and helm as a person uses them, and looking until something is so."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

LOOK_SECONDS = 0.25
COMMAND_SECONDS = 660


class CommandFailedError(Exception):
    """A command ended with an error; the message is what it said."""


def command(*words: str, given: str | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        words, input=given, env=env, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
    )
    if done.returncode != 0:
        raise CommandFailedError(f"{' '.join(words)}\n{done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def eventually(look: Callable[[], T | None], why: Callable[[], object] = lambda: "") -> T:
    """Look until there is something; the test's own time limit ends a wait for what never comes.

    `why` says, should it never come, what is there instead.
    """
    try:
        while True:
            found = look()
            if found:
                return found
            time.sleep(LOOK_SECONDS)
    except BaseException:
        print(f"\nat the end of the wait: {why()}")  # noqa: T201 - pytest shows it with the failure
        raise


class Kube:
    """One namespace."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def run(self, *words: str, given: object = None) -> str:
        text = None if given is None else json.dumps(given)
        return command("kubectl", "-n", self.namespace, *words, *(() if text is None else ("-f", "-")), given=text)

    def apply(self, *manifests: dict[str, Any]) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.run("apply", given=items)

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        found = self.run("get", kind, name, "--ignore-not-found", "-o", "json")
        return json.loads(found) if found.strip() else None

    def find(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        words = ("-l", selector) if selector else ()
        found: list[dict[str, Any]] = json.loads(self.run("get", kind, *words, "-o", "json"))["items"]
        return found

    def pods_of(self, pool: str) -> list[dict[str, Any]]:
        """The runners of a pool that are not on their way out."""
        return [pod for pod in self.all_pods_of(pool) if "deletionTimestamp" not in pod["metadata"]]

    def all_pods_of(self, pool: str) -> list[dict[str, Any]]:
        return self.find("pods", f"edworkers.dev/pool={pool},app.kubernetes.io/component=runner")

    def condition(self, pool: str, kind: str) -> dict[str, Any]:
        """A condition of a pool; empty where it isn't there, or is of an older spec."""
        found = self.get("workerpool", pool) or {"metadata": {}}
        for condition in found.get("status", {}).get("conditions", ()):
            if condition["type"] == kind and condition["observedGeneration"] == found["metadata"]["generation"]:
                return dict(condition)
        return {}

    def until_ready(self, *pools: str, seconds: int = 100) -> None:
        named = (f"workerpool/{pool}" for pool in pools)
        self.run("wait", "--for=condition=Ready", *named, f"--timeout={seconds}s")


def signal_process(variable: str, number: signal.Signals) -> bool:
    """Signal, from outside its container as the kernel would, the process that was started with this variable."""
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and variable.encode() in (folder / "environ").read_bytes().split(b"\0"):
                os.kill(int(folder.name), number)
                return True
    return False


def holder(kube: Kube) -> str:
    """The operator that is active."""
    return str((kube.get("lease", "edworkers-operator") or {"spec": {}})["spec"].get("holderIdentity", ""))


def signal_active_operator(kube: Kube, number: signal.Signals) -> str:
    active = eventually(lambda: holder(kube))
    assert signal_process(f"EDWORKERS_IDENTITY={active}", number), (
        "the node's processes can't be seen: run this as root"
    )
    return active


def worker_pool(name: str, **spec: Any) -> dict[str, Any]:
    """A pool of the tests' handlers, quick to scale; what is given comes on top."""
    quick = {"minReplicas": 0, "maxReplicas": 4, "pollingIntervalSeconds": 1, "cooldownSeconds": 3}
    scaled = {} if "replicas" in spec else {"autoscaling": {**quick, **spec.pop("autoscaling", {})}}
    usual = {
        "queue": name,
        "handlers": "handlers_for_cluster",
        "concurrency": 1,
        "leaseSeconds": 5,
        "job": {"timeoutSeconds": 60, "maxAttempts": 3},
        # Small enough for many on one machine.
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
    }
    return {
        "apiVersion": "edworkers.dev/v1alpha1",
        "kind": "WorkerPool",
        "metadata": {"name": name},
        "spec": {**usual, **scaled, **spec},
    }


def running(pods: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those whose container runs and is ready."""
    return [pod for pod in pods if any(container["ready"] for container in pod["status"].get("containerStatuses", ()))]
