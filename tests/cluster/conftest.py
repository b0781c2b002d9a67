"""What the end-to-end tests share: one release of the chart in a namespace that enforces the strictest security.

They run one after the other, against the cluster that KUBECONFIG names: `make e2e`.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cluster.kube import Kube, command
from tests.cluster.release import Queue, Redis, install, restricted_namespace

_told: list[str] = []


def pytest_configure() -> None:
    if not os.environ.get("KUBECONFIG"):
        pytest.exit("these tests need a cluster: run them by `make e2e`, which starts one", returncode=2)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _told:
        terminalreporter.section("measured")
        for line in _told:
            terminalreporter.line(line)


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Show a figure after the run: it is measured, not judged."""
    return lambda line: _told.append(f"{request.node.name}: {line}")


@dataclass(frozen=True)
class Steps:
    """The time of each step since the first."""

    _tell: Callable[[str], None]
    _began: float

    def reached(self, step: str) -> None:
        self._tell(f"{step} after {time.monotonic() - self._began:.1f} s")


@pytest.fixture
def begin_steps(tell: Callable[[str], None]) -> Callable[[], Steps]:
    return lambda: Steps(tell, time.monotonic())


@pytest.fixture(scope="session")
def kube() -> Iterator[Kube]:
    """The namespace of the release."""
    command("kubectl", "apply", "--server-side", "--force-conflicts", "-f", "manifests/crd.yaml")
    with restricted_namespace("edworkers-e2e") as kube:
        install(kube, "edworkers")
        yield kube
        command("helm", "uninstall", "edworkers", "--namespace", kube.namespace, "--wait", "--timeout", "2m")


@pytest.fixture(scope="session")
def redis(kube: Kube) -> Iterator[Redis]:
    redis = Redis(kube)
    yield redis
    redis.close()


@pytest.fixture
def edworkers(redis: Redis, pool_name: str) -> Callable[..., str]:
    """The command, on the release's Redis."""
    spec = json.dumps({"queue": pool_name, "handlers": "handlers_for_cluster"})
    handlers = str(Path(__file__).parent)
    env = {**os.environ, "REDIS_URL": redis.url, "EDWORKERS_POOL": spec, "PYTHONPATH": handlers}
    return lambda *words: command(sys.executable, "-m", "edworkers", *words, env=env)


@pytest.fixture
def pool_name(request: pytest.FixtureRequest, kube: Kube) -> Iterator[str]:
    """The name of a pool of the test's own, and of its queue."""
    words = request.node.name.partition("[")[0].removeprefix("test_").split("_")
    name = "-".join(words)[:30].rstrip("-")
    yield name
    kube.run("delete", "workerpool", name, "--ignore-not-found", "--wait=true")


@pytest.fixture
def queue(redis: Redis, pool_name: str) -> Queue:
    return Queue(redis, pool_name)
