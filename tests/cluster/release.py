"""edworkers as its chart installs it, and the Redis that comes with it, seen from outside."""

import base64
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis
from tests.cluster.kube import Kube, command, eventually

TOP = Path(__file__).parents[2]
CHART = TOP / "charts"
VALUES = Path(__file__).parent / "release.yaml"
FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


@contextmanager
def restricted_namespace(name: str) -> Iterator[Kube]:
    """A namespace in which only pods of the strictest security may run; it is deleted at the end."""
    kube = Kube(name)
    command("kubectl", "delete", "namespace", name, "--ignore-not-found", "--wait=true")
    enforced = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": enforced}}
    kube.run("create", given=namespace)
    try:
        yield kube
    finally:
        with suppress(Exception):
            # Pools first: their objects, KEDA's finalizers among them, go while their operator is still there.
            kube.run("delete", "workerpools", "--all", "--wait=true")
        command("kubectl", "delete", "namespace", name, "--wait=false")


def install(kube: Kube, release: str, *words: str) -> None:
    """Install or upgrade the chart as it is in the tree, and wait until everything is ready."""
    usual = ("--namespace", kube.namespace, "--values", str(VALUES), "--wait", "--timeout", "3m")
    command("helm", "upgrade", "--install", release, str(CHART), *usual, *words)


class Forwarding:
    """A local port for one of a namespace's Services, for as long as it is open."""

    def __init__(self, kube: Kube, service: str, port: int) -> None:
        words = ("kubectl", "-n", kube.namespace, "port-forward", f"service/{service}", f":{port}")
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        match = FORWARDING.match(line)
        assert match is not None, line + self._process.stdout.read()
        self.port = int(match[1])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


class Redis:
    """The Redis of a release."""

    def __init__(self, kube: Kube, release: str = "edworkers") -> None:
        secret = kube.get("secret", f"{release}-redis")
        assert secret is not None, "the chart made no password"
        self.password = base64.b64decode(secret["data"]["password"]).decode()
        self._forwarding = Forwarding(kube, f"{release}-redis", 6379)
        self.client: Any = redis.Redis(port=self._forwarding.port, password=self.password, decode_responses=True)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self._forwarding.port}/0"

    def close(self) -> None:
        self.client.close()
        self._forwarding.close()


class Queue:
    """One queue, as a producer and an observer see it."""

    def __init__(self, redis: Redis, name: str) -> None:
        self.name = name
        self.client = redis.client

    def key(self, name: str) -> str:
        return f"edworkers:{{{self.name}}}:{name}"

    def push(self, *jobs: dict[str, Any]) -> None:
        """LPUSH, as any API does."""
        self.client.lpush(self.key("pending"), *map(json.dumps, jobs))

    def record(self, job_id: str) -> dict[str, str]:
        found: dict[str, str] = self.client.hgetall(self.key(f"job:{job_id}"))
        return found

    def states(self, job_ids: Iterable[str]) -> Counter[str]:
        """How many of the jobs are in which state; one that has no record waits still."""
        with self.client.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.hget(self.key(f"job:{job_id}"), "state")
            return Counter(state or "unknown" for state in pipe.execute())

    def until_done(self, job_ids: Sequence[str]) -> None:
        wanted = Counter({"done": len(job_ids)})
        eventually(lambda: self.states(job_ids) == wanted, lambda: (self.states(job_ids), self.depths()))

    def runs(self, job_id: str) -> int:
        """How often the handler was begun for a job, counted outside the queue."""
        return int(self.client.get(f"e2e:runs:{job_id}") or 0)

    def holders(self) -> set[str]:
        """The pods that hold a job."""
        return {receipt.rsplit(".", 3)[0] for receipt in self.client.hkeys(self.key("inflight"))}

    def until_keda_has_looked(self, times: int = 3) -> None:
        """Wait until KEDA has counted the queue so often from now on."""
        with self.client.monitor() as monitor:
            while times:
                said = monitor.next_command()["command"].lower()
                # It asks by a script; runners and keepers send theirs by their digests.
                times -= said.startswith("eval ") and self.key("pending") in said

    def depths(self) -> dict[str, int]:
        return {
            "pending": self.client.llen(self.key("pending")),
            "inflight": self.client.hlen(self.key("inflight")),
            "delayed": self.client.zcard(self.key("delayed")),
            "dead": self.client.zcard(self.key("dead")),
        }
