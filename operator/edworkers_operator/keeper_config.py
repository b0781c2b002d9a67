"""The pools as the keeper reads them: one ConfigMap with the manifests of all."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from edworkers.core.errors import SettingsError
from edworkers_operator.workerpool import read_worker_pool

FILE = "pools.yaml"
_FIELDS = {"queue", "handlers", "concurrency", "limits", "groups", "job", "retention", "schedules"}
"""What a keeper acts on, and what its commands and the server show."""


def keeper_config(pools: Iterable[Mapping[str, Any]], namespace: str, name: str) -> dict[str, Any]:
    """Write the ConfigMap: of each queue what a keeper acts on, in the order of their names. Pure.

    A pool whose spec can't be used is left out; where two serve one queue, either will do.
    """
    kept: dict[str, str] = {}
    for manifest in pools:
        try:
            spec = read_worker_pool(manifest).spec
        except SettingsError:
            continue
        fields = spec.model_dump(mode="json", by_alias=True, include=_FIELDS, exclude_none=True)
        document = {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "spec": fields}
        kept[spec.queue] = json.dumps(document, sort_keys=True)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        # JSON is YAML, and one line a pool reads well.
        "data": {FILE: "".join(f"{kept[queue]}\n---\n" for queue in sorted(kept))},
    }
