"""Talks to the cluster as its administrator."""

import json
import subprocess
from typing import Any

import places
from steps import ClusterError

KUBECONFIG = places.FOR_PEOPLE / "kubeconfig"
PROGRAM = places.FOR_PEOPLE / "bin" / "kubectl"


def kubectl(*words: str) -> list[str]:
    """Give the command line of kubectl for this cluster."""
    return [str(PROGRAM), f"--kubeconfig={KUBECONFIG}", *words]


def apply(manifest: str) -> None:
    """Apply a manifest (YAML or JSON) by the server; raises ClusterError with its answer if it is refused."""
    command = kubectl("apply", "--server-side", "--force-conflicts", "--filename=-")
    done = subprocess.run(command, input=manifest, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"the API server refuses a manifest: {done.stderr.strip()}")


def apply_objects(*objects: dict[str, Any]) -> None:
    """Apply several objects."""
    apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
