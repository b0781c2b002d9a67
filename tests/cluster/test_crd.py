"""The API server keeps what a WorkerPool must be, and tells users in plain words where one is not."""

import copy
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.invalid_pools import INVALID, WHOLE, InvalidPool, worker_pool

from edworkers.core.errors import SettingsError
from edworkers_operator.crd import HASH_ANNOTATION, NAME, hash_of_crd
from edworkers_operator.crd.definition import make_schema
from edworkers_operator.workerpool import read_worker_pool

MANIFESTS = Path(__file__).parents[2] / "manifests"
EXAMPLES = sorted((MANIFESTS / "examples").glob("*.yaml"))
CREATE = ("create", "--dry-run=server", "-o", "name")

Steps = tuple[str | int, ...]
Kubectl = Callable[..., subprocess.CompletedProcess[str]]


def run(*arguments: str, given: object = None) -> subprocess.CompletedProcess[str]:
    """Run kubectl; what is given goes in as JSON by `-f -`."""
    return subprocess.run(
        ["kubectl", *arguments, *(["-f", "-"] if given is not None else [])],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def done(finished: subprocess.CompletedProcess[str]) -> str:
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module", autouse=True)
def _crd() -> None:
    done(run("apply", "--server-side", "--force-conflicts", "--field-manager=test", "-f", str(MANIFESTS / "crd.yaml")))
    done(run("wait", "--for=condition=Established", f"crd/{NAME}", "--timeout=60s"))


@pytest.fixture(scope="module")
def kubectl() -> Iterator[Kubectl]:
    """kubectl in a namespace of this module's own."""
    namespace = f"crd-{os.getpid()}"
    done(run("create", "namespace", namespace))
    # As soon as one pool is listed, the server knows the kind.
    done(run("get", "wp", "-n", namespace))
    yield lambda *arguments, given=None: run(*arguments, "-n", namespace, given=given)
    done(run("delete", "namespace", namespace, "--wait=false"))


def test_the_api_server_takes_the_crd_whole() -> None:
    found = json.loads(done(run("get", "crd", NAME, "-o", "json")))
    conditions = {condition["type"]: condition["status"] for condition in found["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert found["metadata"]["annotations"][HASH_ANNOTATION] == hash_of_crd()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_accepted(path: Path, kubectl: Kubectl) -> None:
    assert done(kubectl(*CREATE, "-f", str(path))) == f"workerpool.edworkers.dev/{path.stem}\n"


def test_a_pool_that_says_something_in_every_field_is_kept_as_it_is_written(kubectl: Kubectl) -> None:
    kept = json.loads(done(kubectl("create", "--dry-run=server", "-o", "json", given=WHOLE)))
    assert kept["spec"] == {
        **WHOLE["spec"],
        "limits": [{"timeZone": "Etc/UTC", **each} for each in WHOLE["spec"]["limits"]],
    }


def test_the_least_that_a_pool_needs_gets_the_defaults(kubectl: Kubectl) -> None:
    kept = json.loads(done(kubectl("create", "--dry-run=server", "-o", "json", given=worker_pool(autoscaling={}))))
    scaling = {"minReplicas": 0, "maxReplicas": 10, "pollingIntervalSeconds": 5, "cooldownSeconds": 60}
    assert kept["spec"] == {
        "queue": "night",
        "handlers": "school.night",
        "concurrency": 1,
        "leaseSeconds": 15,
        "suspend": False,
        "deletionPolicy": "Delete",
        "autoscaling": scaling,
    }


@pytest.mark.parametrize("case", INVALID.values(), ids=INVALID.keys())
def test_an_invalid_pool_is_refused_with_words_that_say_what_to_do(case: InvalidPool, kubectl: Kubectl) -> None:
    finished = kubectl(*CREATE, given=case.document)
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert case.told in finished.stderr


def test_all_faults_of_a_pool_are_told_at_once(kubectl: Kubectl) -> None:
    names = ("two limits for a minute", "least above most", "size in megabytes", "schedule '@daily'")
    spec = {key: value for name in names for key, value in INVALID[name].spec.items()}
    told = kubectl(*CREATE, given=worker_pool(**spec)).stderr
    assert [name for name in names if INVALID[name].told not in told] == []


def test_the_queue_of_a_pool_does_not_change(kubectl: Kubectl) -> None:
    done(kubectl("create", given=worker_pool("moved")))
    finished = kubectl("apply", "--server-side", "--force-conflicts", given=worker_pool("moved", queue="day"))
    assert finished.returncode == 1
    assert "queue can't be changed, for its jobs would be left behind: make a WorkerPool for" in finished.stderr
    assert done(kubectl("get", "wp", "moved", "-o", "jsonpath={.spec.queue}")) == "night"


def test_a_pool_of_a_fixed_size_is_scaled(kubectl: Kubectl) -> None:
    done(kubectl("create", given=worker_pool("fixed", replicas=2)))
    assert done(kubectl("scale", "wp/fixed", "--current-replicas=2", "--replicas=3"))
    assert done(kubectl("get", "wp", "fixed", "-o", "jsonpath={.spec.replicas}")) == "3"


def test_an_autoscaled_pool_is_not_scaled_by_hand(kubectl: Kubectl) -> None:
    done(kubectl("create", given=worker_pool("scaled", autoscaling={})))
    finished = kubectl("scale", "wp/scaled", "--replicas=3")
    assert finished.returncode == 1
    assert "give replicas or autoscaling, not both: an autoscaled pool is sized by" in finished.stderr


def test_pools_are_listed_with_what_one_wants_to_know_of_them(kubectl: Kubectl) -> None:
    done(kubectl("create", given=worker_pool("listed", autoscaling={"minReplicas": 2, "maxReplicas": 7})))
    head, row = done(kubectl("get", "wp", "listed")).splitlines()
    assert head.split() == ["NAME", "QUEUE", "READY", "REASON", "REPLICAS", "PENDING", "INFLIGHT", "DEAD", "AGE"]
    assert row.split()[:2] == ["listed", "night"]
    wide, row = (
        done(kubectl("get", "edworkers", "-o", "wide")).splitlines()[0],
        done(kubectl("get", "wp", "listed", "-o", "wide")),
    )
    assert wide.split()[-2:] == ["MIN", "MAX"]
    assert row.split()[-2:] == ["2", "7"]


def test_nothing_is_dropped_of_a_status(kubectl: Kubectl) -> None:
    now = "2026-03-29T01:30:00Z"
    status = {
        "observedGeneration": 1,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Idle",
                "message": "",
                "lastTransitionTime": now,
                "observedGeneration": 1,
            }
        ],
        "replicas": 0,
        "readyReplicas": 0,
        "selector": "edworkers.dev/pool=told",
        "queue": {"pending": 1, "inflight": 2, "delayed": 3, "dead": 4, "oldestSeconds": 5},
        "limits": [{"name": "day", "used": 1, "limit": 2, "resetsAt": now}],
        "schedules": [
            {"name": "a", "cronJob": "told-a", "lastScheduleTime": now, "lastSuccessfulTime": now},
        ],
        "image": "school/night:2",
    }
    done(kubectl("create", given=worker_pool("told")))
    patch = json.dumps([{"op": "add", "path": "/status", "value": status}])
    patched = kubectl(
        "patch", "wp", "told", "--subresource=status", "--type=json", "--dry-run=server", "-o", "json", "-p", patch
    )
    assert json.loads(done(patched))["status"] == status


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("wp.spec", "What the pool is to be"),
        ("wp.spec.autoscaling", "The most pods. Default: 10."),
        ("wp.spec.limits.timeZone", "In which time zone days and months begin"),
        ("wp.spec.env.valueFrom", "A key of a Secret."),
        ("wp.status.queue", "Jobs that a runner holds."),
    ],
)
def test_kubectl_explains_each_field(path: str, told: str) -> None:
    assert told in " ".join(done(run("explain", path)).split())


# The API server and the operator agree.


def values_to_try(node: dict[str, Any]) -> Iterator[object]:
    """Values at the bounds of a field and beyond them, and some of another kind."""
    yield {"of": "another kind"}
    match node:
        case {"enum": [*allowed]}:
            yield from (*allowed, "Other", "")
        case {"type": "integer" | "number"}:
            yield from (bound + step for bound in bounds(node) for step in (-1, 0, 1))
            yield from (0, 1.5, "many")
        case {"type": "string"}:
            yield from ("a" * (length + more) for length in lengths(node) for more in (0, 1))
            yield from ("", "a", 1)
            if "pattern" in node or "x-kubernetes-validations" in node:
                yield from ("A", "a-b", "-a", "a.b", "a b", "a_b", "ä", "a\n", "1", "a/b")
        case {"x-kubernetes-int-or-string": True}:
            yield from (0, 1, -1, "1", "1Mi", "1.5Gi", "1mi", "1 Mi", "", ".", "1e3", "100m", "Mi")
        case _:
            pass


def bounds(node: dict[str, Any]) -> list[float]:
    return [node[bound] for bound in ("minimum", "maximum") if bound in node]


def lengths(node: dict[str, Any]) -> list[int]:
    return [node[bound] for bound in ("minLength", "maxLength") if bound in node]


def leaves(node: dict[str, Any], value: object, place: Steps) -> Iterator[tuple[Steps, dict[str, Any]]]:
    """Every field of a value that has none below it, with its schema."""
    if isinstance(value, dict) and "x-kubernetes-preserve-unknown-fields" not in node:
        for name, part in value.items():
            below = node.get("properties", {}).get(name) or node["additionalProperties"]
            yield from leaves(below, part, (*place, name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from leaves(node["items"], part, (*place, number))
    else:
        yield place, node


def changed(document: dict[str, Any], place: Steps, value: object, name: str) -> dict[str, Any]:
    made: Any = copy.deepcopy(document)
    made["metadata"]["name"] = name
    part = made["spec"]
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    return dict(made)


def is_readable(document: object) -> bool:
    try:
        read_worker_pool(document)
    except SettingsError:
        return False
    return True


def test_the_api_server_and_the_operator_take_and_refuse_the_same_values_of_every_field(kubectl: Kubectl) -> None:
    schema = make_schema()["properties"]["spec"]
    fixed = worker_pool(replicas=1)
    fields = [
        *((WHOLE, place, node) for place, node in leaves(schema, WHOLE["spec"], ())),
        (fixed, ("replicas",), schema["properties"]["replicas"]),
    ]
    tried = {
        f"p{number}-{index}": (place, changed(base, place, value, f"p{number}-{index}"), value)
        for number, (base, place, node) in enumerate(fields)
        for index, value in enumerate(values_to_try(node))
    }
    # Of a list kubectl checks all by itself first, and would send none of it.
    pools = {"apiVersion": "v1", "kind": "List", "items": [document for _, document, _ in tried.values()]}
    accepted = {
        line.rpartition("/")[2] for line in kubectl(*CREATE, "--validate=false", given=pools).stdout.splitlines()
    }
    readable = {name for name, (_, document, _) in tried.items() if is_readable(document)}
    assert {str((place, value)) for name, (place, _, value) in tried.items() if name in accepted ^ readable} == set()
    assert 100 < len(accepted) < len(tried) - 100


ZONES = ["UTC", "GMT", "Etc/GMT+12", "America/Argentina/Buenos_Aires", "America/Port-au-Prince", "Asia/Kathmandu"]


def test_time_zones_are_known_to_both(kubectl: Kubectl) -> None:
    limits = [{"name": f"day-{n}", "limit": 1, "window": "day", "timeZone": zone} for n, zone in enumerate(ZONES)]
    assert done(kubectl(*CREATE, given=worker_pool(limits=limits)))
