"""Whatever a valid pool says, its objects are such as Kubernetes takes, and its runners read what it says."""

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.render_cases import SETTINGS, UID, settings

from edworkers.core.manifest import read_manifest
from edworkers_operator.naming import CHILD_KINDS, POOL_LABEL, labels, selector
from edworkers_operator.render.environment import RUN_FIELDS, pool_document
from edworkers_operator.render.pool import render
from edworkers_operator.settings import Capabilities, RenderSettings
from edworkers_operator.workerpool import LONGEST_CRON_JOB_NAME, WorkerPool, read_worker_pool

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")

NAMES = st.from_regex(NAME, fullmatch=True)
SECONDS = st.floats(min_value=0.2, max_value=3600) | st.integers(min_value=1, max_value=3600)
LIMITS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True),
            "limit": st.integers(min_value=1, max_value=10**6),
            "window": st.sampled_from(["day", "month"]),
        },
        optional={"timeZone": st.sampled_from(["America/Los_Angeles", "Etc/UTC"])},
    ),
    max_size=3,
    unique_by=lambda limit: limit["name"],
)
BACKOFF = st.fixed_dictionaries(
    {}, optional={"initialSeconds": SECONDS, "factor": st.floats(min_value=1, max_value=10), "jitter": st.just(0)}
)
WORK: dict[str, st.SearchStrategy[Any]] = {
    "concurrency": st.integers(min_value=1, max_value=10_000),
    "limits": LIMITS,
    "job": st.fixed_dictionaries(
        {},
        optional={
            "timeoutSeconds": SECONDS,
            "maxAttempts": st.integers(min_value=1, max_value=100),
            "maxDeliveries": st.integers(min_value=1, max_value=100),
            "backoff": BACKOFF,
        },
    ),
    "retention": st.fixed_dictionaries(
        {},
        optional={
            "resultSeconds": st.integers(min_value=0, max_value=10**6),
            "maxBytes": st.integers(min_value=0, max_value=10**12) | st.sampled_from(["256Mi", "1Gi", "7Ki"]),
        },
    ),
    "leaseSeconds": SECONDS,
    "env": st.lists(
        st.fixed_dictionaries({"name": st.from_regex(r"[A-Z_]{1,9}", fullmatch=True), "value": st.text(max_size=5)}),
        max_size=3,
        unique_by=lambda variable: variable["name"],
    ),
    "podLabels": st.dictionaries(st.from_regex(r"[a-z]{1,9}", fullmatch=True), NAMES, max_size=2),
}
SCALE: dict[str, st.SearchStrategy[Any]] = {
    "suspend": st.booleans(),
    "autoscaling": st.fixed_dictionaries(
        {"maxReplicas": st.integers(min_value=5, max_value=100)},
        optional={"minReplicas": st.integers(min_value=0, max_value=5)},
    ),
    "schedules": st.lists(
        st.fixed_dictionaries({"name": st.from_regex(r"[a-z]{1,8}", fullmatch=True), "schedule": st.just("0 3 * * *")}),
        max_size=2,
        unique_by=lambda schedule: schedule["name"],
    ),
    "deletionPolicy": st.sampled_from(["Delete", "Drain"]),
}
CAPABILITIES = st.builds(Capabilities, keda=st.booleans(), pod_monitor=st.booleans())
PLACES = st.sampled_from(
    [
        SETTINGS,
        settings(mode="sentinel", addresses=("a:1", "b:2"), master="m", secret="s", tls=True),
        settings(mode="cluster", addresses=("a:1",), username="u"),
    ]
)


@st.composite
def specs(draw: st.DrawFn, fields: dict[str, st.SearchStrategy[Any]]) -> dict[str, Any]:
    return draw(st.fixed_dictionaries({}, optional=fields))


def read(name: str, *parts: dict[str, Any]) -> WorkerPool:
    spec: dict[str, Any] = {"queue": "night", "handlers": "school.night"}
    for part in parts:
        spec |= part
    metadata = {"name": name, "namespace": "school"}
    return read_worker_pool(
        {"apiVersion": "edworkers.dev/v1alpha1", "kind": "WorkerPool", "metadata": metadata, "spec": spec}
    )


POOLS = st.builds(read, st.from_regex(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?", fullmatch=True), specs(WORK), specs(SCALE))


@given(POOLS, PLACES, CAPABILITIES)
def test_every_object_has_a_name_labels_and_an_owner(
    pool: WorkerPool, place: RenderSettings, capabilities: Capabilities
) -> None:
    objects = render(pool, {"uid": UID}, place, capabilities)
    for rendered in objects:
        metadata = rendered["metadata"]
        assert NAME.fullmatch(metadata["name"])
        assert metadata["namespace"] == "school"
        assert metadata["labels"][POOL_LABEL] == pool.metadata.name
        assert all(LABEL_VALUE.fullmatch(value) for value in metadata["labels"].values())
        assert metadata["ownerReferences"][0]["uid"] == UID
        assert rendered["kind"] != "CronJob" or len(metadata["name"]) <= LONGEST_CRON_JOB_NAME
        assert rendered["kind"] in {kind.kind for kind in CHILD_KINDS}
    assert len({(rendered["kind"], rendered["metadata"]["name"]) for rendered in objects}) == len(objects)


@given(POOLS, PLACES, CAPABILITIES)
def test_runners_alone_carry_what_they_are_selected_by(
    pool: WorkerPool, place: RenderSettings, capabilities: Capabilities
) -> None:
    for rendered in render(pool, None, place, capabilities):
        spec = rendered.get("spec", {})
        if rendered["kind"] == "Deployment":
            assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
        if rendered["kind"] == "CronJob":
            pod = spec["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
            assert labels(pool, "scheduler").items() <= pod.items()
            assert not selector(pool).items() <= pod.items()


@given(POOLS, PLACES, CAPABILITIES)
def test_nothing_is_rendered_that_the_server_would_drop_or_write_otherwise(
    pool: WorkerPool, place: RenderSettings, capabilities: Capabilities
) -> None:
    objects = render(pool, {"uid": UID}, place, capabilities)
    # Neither tuples nor numbers that JSON hasn't: what is compared with the cluster's answer must be of its types.
    assert json.loads(json.dumps(objects)) == objects
    assert not [value for value in _values(objects) if value is None or value in ([], {})]
    for container in _named(objects, "containers"):
        names = [variable["name"] for variable in container[0]["env"]]
        assert len(set(names)) == len(names)


def _values(part: Any) -> list[Any]:
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return [part, *(value for one in inner for value in _values(one))]


def _named(part: Any, name: str) -> list[Any]:
    return [value[name] for value in _values(part) if isinstance(value, dict) and name in value]


@given(specs(WORK), specs(SCALE), specs(SCALE), PLACES)
def test_runners_are_the_same_whatever_their_number(
    work: dict[str, Any], scale: dict[str, Any], other: dict[str, Any], place: RenderSettings
) -> None:
    def template(pool: WorkerPool) -> Any:
        objects = render(pool, None, place, Capabilities(keda=True))
        return next(o["spec"]["template"] for o in objects if o["kind"] == "Deployment")

    assert template(read("night", work, scale)) == template(read("night", work, other))


@given(POOLS)
def test_runners_read_their_pool_as_it_was_written(pool: WorkerPool) -> None:
    text = pool_document(pool)
    faults: list[str] = []
    document = {"apiVersion": "edworkers.dev/v1alpha1", "kind": "WorkerPool", "spec": json.loads(text)}
    spec = read_manifest(document, faults)
    assert not faults
    assert spec is not None
    assert spec.model_dump(include=set(RUN_FIELDS)) == pool.spec.model_dump(include=set(RUN_FIELDS))
    assert "$" not in text  # which Kubernetes could take for a variable
