"""The chart from its installation to its removal, by Helm as a person uses it."""

import base64
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from tests.cluster.kube import Kube, command, eventually, worker_pool
from tests.cluster.release import CHART, TOP, VALUES, restricted_namespace

from edworkers_operator.crd import HASH_ANNOTATION, NAME, hash_of_crd

RELEASE = "edworkers"
OPERATOR = "app.kubernetes.io/component=operator"
WAITING = "edworkers:{later}:pending"
POOLS = ["ai", "document", "email", "scheduled", "webhook"]

pytestmark = pytest.mark.timeout(400)


class Release:
    """A release in a namespace of its own, which is all that its operator serves."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube

    def helm(self, verb: str, *words: str) -> str:
        return command("helm", verb, RELEASE, *words, "--namespace", self.kube.namespace)

    def put(self, verb: str, chart: Path, *settings: str, flags: Sequence[str] = ()) -> None:
        """Install or upgrade, and wait until everything is ready."""
        given = [word for setting in settings for word in ("--set", setting)]
        namespaces = f"operator.watchNamespaces={{{self.kube.namespace}}}"
        values = ("--values", str(VALUES), "--set", namespaces, *given)
        self.helm(verb, str(chart), *values, *flags, "--wait", "--timeout", "170s")

    def uninstall(self) -> None:
        self.helm("uninstall", "--wait", "--timeout", "2m")

    def redis(self, *words: str) -> str:
        return self.kube.run("exec", f"{RELEASE}-redis-0", "--", "redis-cli", *words).strip()

    def secret(self, name: str, key: str) -> str:
        found = self.kube.get("secret", name)
        assert found is not None
        return base64.b64decode(found["data"][key]).decode()

    def pods(self, selector: str) -> set[str]:
        """The uids of those that are not on their way out."""
        pods = self.kube.find("pods", selector)
        return {pod["metadata"]["uid"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}

    def pools(self) -> list[str]:
        return [pool["metadata"]["name"] for pool in self.kube.find("workerpools")]


@contextmanager
def release_of_its_own() -> Iterator[Release]:
    with restricted_namespace(f"chart-{secrets.token_hex(4)}") as kube:
        release = Release(kube)
        yield release
        kube.run("delete", "workerpools", "--all", "--wait=true")
        if RELEASE in command("helm", "list", "--short", "--namespace", kube.namespace):
            release.uninstall()


@pytest.fixture
def release() -> Iterator[Release]:
    with release_of_its_own() as release:
        yield release


@pytest.fixture(scope="module")
def installed() -> Iterator[Release]:
    """One with the default pools, for tests that only look."""
    with release_of_its_own() as release:
        release.put("install", CHART, *(f"pools.{name}.enabled=true" for name in POOLS))
        yield release


def chart_of(revision: str, folder: Path) -> Path | None:
    """Unpack the chart as it was in a commit, if it was there."""
    words = ("git", "-C", str(TOP), "archive", revision, "charts")
    packed = subprocess.run(words, capture_output=True, check=False, timeout=60)
    if packed.returncode != 0:
        return None
    subprocess.run(("tar", "-x", "-C", str(folder)), input=packed.stdout, check=True, timeout=60)
    return folder / "charts"


@pytest.fixture
def earlier_chart(tmp_path: Path) -> Path:
    """The chart of the commit before this one, with a definition that is not the operator's own.

    Where there is no such commit (the first one, a clone without history), the present chart stands in for it.
    """
    chart = chart_of("HEAD~1", tmp_path) or chart_of("HEAD", tmp_path) or CHART
    copy = tmp_path / "earlier"
    command("cp", "-r", str(chart), str(copy))
    [file] = (copy / "crds").iterdir()
    definition = yaml.safe_load(file.read_text(encoding="utf-8"))
    definition["metadata"]["annotations"][HASH_ANNOTATION] = "of-an-earlier-one"
    file.write_text(yaml.safe_dump(definition), encoding="utf-8")
    return copy


def test_a_release_passes_its_own_tests_and_has_its_pools_ready(installed: Release) -> None:
    said = installed.helm("test", "--timeout", "2m")
    assert said.count("Succeeded") == 2
    assert installed.pools() == POOLS
    installed.kube.until_ready("webhook")
    eventually(lambda: all(installed.kube.condition(pool, "Ready") for pool in POOLS))
    notes = command("helm", "get", "notes", RELEASE, "--namespace", installed.kube.namespace)
    assert "SUSPENDED: ai, document, email, scheduled" in notes
    assert "KEDA IS MISSING" not in notes


def test_the_keeper_is_told_of_the_pools(installed: Release) -> None:
    def told() -> bool:
        config = installed.kube.get("configmap", f"{RELEASE}-pools")
        return config is not None and '"queue": "webhook"' in config["data"]["pools.yaml"]

    eventually(told)


def lasting(release: Release) -> dict[str, object]:
    """What no upgrade may touch."""
    return {
        "runners": release.pods("edworkers.dev/pool=steady"),
        "redis": release.pods("app.kubernetes.io/component=redis"),
        "password": release.secret(f"{RELEASE}-redis", "password"),
        "waiting": release.redis("LLEN", WAITING),
    }


def definition_hash() -> str:
    found = yaml.safe_load(command("kubectl", "get", "crd", NAME, "-o", "yaml"))
    return str(found["metadata"]["annotations"][HASH_ANNOTATION])


def test_an_upgrade_takes_the_definition_along_and_leaves_jobs_passwords_and_runners_alone(
    release: Release, earlier_chart: Path
) -> None:
    # Other tests may have applied the definition under names of their own.
    release.put("install", earlier_chart, "crd.upgrade=false", flags=["--force-conflicts"])
    assert definition_hash() == "of-an-earlier-one"
    release.kube.apply(worker_pool("steady", replicas=1))
    release.kube.until_ready("steady")
    release.redis("LPUSH", WAITING, "{}")
    before, operators = lasting(release), release.pods(OPERATOR)

    release.put("upgrade", CHART, "operator.image.tag=test-next")
    assert definition_hash() == hash_of_crd()
    assert not release.pods(OPERATOR) & operators
    release.kube.until_ready("steady")
    assert lasting(release) == before

    operators = release.pods(OPERATOR)
    release.helm("rollback", "1", "--wait", "--timeout", "170s")
    assert not release.pods(OPERATOR) & operators
    release.kube.until_ready("steady")
    assert lasting(release) == before
    # An older operator works with a newer definition; taking it back could take fields from pools.
    assert definition_hash() == hash_of_crd()


def test_an_operator_for_the_whole_cluster_serves_pools_in_other_namespaces(release: Release) -> None:
    release.put("install", CHART, "operator.watchNamespaces=null")
    with restricted_namespace(f"{release.kube.namespace}-school") as school:
        login = release.kube.get("secret", f"{RELEASE}-redis") or {}
        school.apply({**login, "metadata": {"name": f"{RELEASE}-redis"}})
        school.apply(worker_pool("lessons", replicas=1))
        school.until_ready("lessons")
        assert len(school.pods_of("lessons")) == 1


def test_nothing_stays_that_may_change_the_definition(installed: Release) -> None:
    kinds = "serviceaccounts,jobs"
    found = installed.kube.run("get", kinds, "-l", "app.kubernetes.io/component=crd-upgrade", "-o", "name")
    assert found == ""
    account = f"system:serviceaccount:{installed.kube.namespace}:{RELEASE}-operator"
    for verb, wanted in (("get", "yes"), ("patch", "no"), ("update", "no"), ("delete", "no")):
        words = ("kubectl", "auth", "can-i", verb, f"crd/{NAME}", "--as", account)
        answer = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60).stdout
        assert answer.strip() == wanted, verb


@pytest.fixture
def volume(release: Release) -> Iterator[str]:
    """A volume for the bundled Redis, of a class of its own; a cluster without storage has it, too."""
    name = release.kube.namespace
    path = f"/var/lib/edworkers-tests/{name}"
    spec = {
        "capacity": {"storage": "2Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": name,
        "hostPath": {"path": path, "type": "DirectoryOrCreate"},
    }
    maker = Kube("default")
    maker.apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec})
    _on_the_node(maker, f"make-{name}", path, "import os; os.chmod('/volume', 0o777)")
    yield name
    release.kube.run("delete", "statefulset,pvc", "--all", "--wait=true")
    clear = (
        "import os, shutil; [shutil.rmtree('/volume/' + name, ignore_errors=True) for name in os.listdir('/volume')]"
    )
    _on_the_node(maker, f"clear-{name}", path, clear)
    maker.run("delete", "persistentvolume", name)


def _on_the_node(kube: Kube, name: str, path: str, code: str) -> None:
    """Run Python as root on a folder of the node, to the end."""
    container = {
        "name": "python",
        "image": "edworkers-runner-e2e:test",
        "imagePullPolicy": "Never",
        "command": ["/opt/edworkers/bin/python", "-c", code],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "volume", "mountPath": "/volume"}],
    }
    volumes = [{"name": "volume", "hostPath": {"path": path, "type": "DirectoryOrCreate"}}]
    spec = {"restartPolicy": "Never", "containers": [container], "volumes": volumes}
    kube.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    kube.run("wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{name}", "--timeout=100s")
    kube.run("delete", "pod", name, "--wait=true")


def test_jobs_outlive_the_release_and_the_next_one_finds_them(release: Release, volume: str) -> None:
    persistent = ("redis.bundled.persistence.enabled=true", f"redis.bundled.persistence.storageClass={volume}")
    release.put("install", CHART, *persistent, "pools.webhook.enabled=true")
    release.redis("LPUSH", WAITING, '{"id":"kept"}')
    password = release.secret(f"{RELEASE}-redis", "password")
    signing = release.secret(f"{RELEASE}-webhook", "WEBHOOK_SECRET")
    release.kube.apply(worker_pool("of-the-user", replicas=0))

    release.uninstall()
    assert release.pools() == ["of-the-user"]
    assert not release.kube.find("deployments", f"app.kubernetes.io/instance={RELEASE}")
    [claim] = release.kube.find("persistentvolumeclaims")
    assert claim["status"]["phase"] == "Bound"

    release.put("install", CHART, *persistent, "pools.webhook.enabled=true")
    assert release.redis("LRANGE", WAITING, "0", "-1") == '{"id":"kept"}'
    assert release.secret(f"{RELEASE}-redis", "password") == password
    assert release.secret(f"{RELEASE}-webhook", "WEBHOOK_SECRET") == signing
    assert release.pools() == ["of-the-user", "webhook"]
