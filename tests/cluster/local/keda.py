"""KEDA: its own manifests with images made of its programs, without the admission webhook."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import parts
from kubectl import apply, kubectl
from oci import write_image
from programs import KEDA
from steps import ClusterError, step, wait_until

_OPERATOR = "keda-operator"
_METRICS = "keda-metrics-apiserver"
_API = "v1beta1.external.metrics.k8s.io"


def up(load: Callable[[Path], None]) -> None:
    """Load KEDA's images and apply its manifests."""
    with step(f"KEDA {KEDA.version}: images and manifests"), tempfile.TemporaryDirectory() as folder:
        _load_image(Path(folder), load, "keda", "keda")
        _load_image(Path(folder), load, "keda-adapter", "keda-adapter")
        apply(_render(Path(folder)))


def wait() -> None:
    """Wait until the cluster's API asks KEDA for metrics; raises ClusterError if that isn't so within minutes."""
    with step(f"KEDA {KEDA.version}: available"):
        wait_until("KEDA isn't available", is_available, seconds=180, fails=lambda: None)


def is_available() -> bool:
    """Say whether KEDA's operator runs and its metrics are served."""
    deployments = kubectl(
        "wait", "--namespace=keda", "--for=condition=Available", f"deployment/{_OPERATOR}", f"deployment/{_METRICS}"
    )
    service = kubectl("wait", "--for=condition=Available", f"apiservice/{_API}", "--timeout=1s")
    return parts.succeeds([*deployments, "--timeout=1s"]) and parts.succeeds(service)


def _load_image(folder: Path, load: Callable[[Path], None], program: str, name: str) -> None:
    archive = folder / f"{name}.tar"
    write_image(archive, f"{name}:test", {f"/{program}": KEDA.folder / program}, [f"/{program}"])
    load(archive)


def _render(folder: Path) -> str:
    shutil.copytree(KEDA.folder / "config", folder / "config")
    kustomization = {
        "resources": ["config/minimal"],
        "patches": [
            _patch(_OPERATOR, "keda:test", ["--kube-api-qps=100", "--kube-api-burst=200"]),
            _patch(_METRICS, "keda-adapter:test", []),
        ],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization))
    done = subprocess.run(kubectl("kustomize", str(folder)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"KEDA's manifests can't be put together: {done.stderr.strip()}")
    return done.stdout


def _patch(deployment: str, image: str, arguments: list[str]) -> dict[str, Any]:
    """Take the image that was loaded, and look for readiness at once instead of after 20 seconds."""
    container = "/spec/template/spec/containers/0"
    values = {"image": image, "imagePullPolicy": "Never", "readinessProbe/initialDelaySeconds": 1}
    changes = [{"op": "add", "path": f"{container}/{path}", "value": value} for path, value in values.items()]
    changes += [{"op": "add", "path": f"{container}/readinessProbe/periodSeconds", "value": 1}]
    changes += [{"op": "add", "path": f"{container}/args/-", "value": argument} for argument in arguments]
    return {"target": {"kind": "Deployment", "name": deployment}, "patch": json.dumps(changes)}
