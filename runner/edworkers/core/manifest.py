"""From a WorkerPool manifest to the settings on which a runner acts.

One manifest drives both a cluster and `edworkers dev`: what only a cluster acts on is left to its operator here.
"""

from collections.abc import Mapping
from typing import Any, cast

from pydantic import ValidationError

from edworkers.core.settings import PoolSpec, faults_of

API_VERSION = "edworkers.dev/v1alpha1"
KIND = "WorkerPool"

CLUSTER_FIELDS = frozenset(
    {
        "affinity",
        "deletionPolicy",
        "env",
        "envFrom",
        "image",
        "nodeSelector",
        "podAnnotations",
        "podLabels",
        "priorityClassName",
        "resources",
        "schedules",
        "tolerations",
        "topologySpreadConstraints",
    }
)
"""Fields of `spec` that say how pods are made, and when they are started."""


def read_manifest(document: object, faults: list[str]) -> PoolSpec | None:
    """Read one document; None, and each of its faults added to `faults`, where it can't be used."""
    if not isinstance(document, dict):
        faults.append(f"each document must be a {KIND}")
        return None
    manifest = cast("dict[str, Any]", document)
    kind, version = manifest.get("kind"), manifest.get("apiVersion")
    if kind != KIND or version != API_VERSION:
        faults.append(f"must be a {KIND} of {API_VERSION}, not a {kind} of {version}")
        return None
    try:
        return PoolSpec.model_validate(_for_runners(manifest.get("spec")), by_alias=True, by_name=False)
    except ValidationError as error:
        faults += faults_of([(("spec", *fault["loc"]), fault["msg"]) for fault in error.errors(include_url=False)])
        return None


def _for_runners(spec: object) -> object:
    if not isinstance(spec, dict):
        return spec
    return {name: value for name, value in cast("Mapping[str, Any]", spec).items() if name not in CLUSTER_FIELDS}
