"""The cluster in Docker, by kind: where a Docker engine answers."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import images as project
import keda
import places
import programs
from kubectl import KUBECONFIG, kubectl
from steps import ClusterError, step

_NAME = "edworkers"
_CLUSTER = {
    "kind": "Cluster",
    "apiVersion": "kind.x-k8s.io/v1alpha4",
    "kubeadmConfigPatches": [
        # Tests wait for the autoscaler: it looks every 2 seconds, and shrinks after 5 instead of 300.
        json.dumps(
            {
                "kind": "ClusterConfiguration",
                "controllerManager": {
                    "extraArgs": {
                        "horizontal-pod-autoscaler-sync-period": "2s",
                        "horizontal-pod-autoscaler-downscale-stabilization": "5s",
                    }
                },
            }
        )
    ],
}
_SERVERS = {"redis-server": "docker.io/library/redis:7", "postgresql": "docker.io/library/postgres:15"}
"""Where images can be pulled, the servers' own take the place of a Debian with them, by its package."""


def is_possible() -> bool:
    """Say whether a Docker engine answers."""
    return shutil.which("docker") is not None and _run("docker", "info") is None


def up() -> int:
    """Bring the cluster up, unless it is."""
    programs.build(programs.KEDA)
    places.FOR_PEOPLE.mkdir(exist_ok=True)
    programs.link_for_people({"kubectl": _own("kubectl"), "helm": _own("helm")})
    if not _exists():
        with step("kind create cluster"), tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "kind.json"
            config.write_text(json.dumps(_CLUSTER))
            _do(_kind(), "create", "cluster", f"--name={_NAME}", f"--config={config}", "--wait=120s")
    _do(_kind(), "export", "kubeconfig", f"--name={_NAME}", f"--kubeconfig={KUBECONFIG}")
    keda.up(lambda archive: _do(_kind(), "load", "image-archive", str(archive), f"--name={_NAME}"))
    images()
    keda.wait()
    return 0


def down() -> int:
    """Remove the cluster; it is no fault if there is none."""
    with step("down"):
        _do(_kind(), "delete", "cluster", f"--name={_NAME}", f"--kubeconfig={KUBECONFIG}")
    shutil.rmtree(places.FOR_PEOPLE, ignore_errors=True)
    return 0


def status() -> int:
    """Show the cluster's nodes and pods; returns 0 if it answers."""
    return subprocess.run(kubectl("get", "nodes,pods", "--all-namespaces"), check=False).returncode


def images() -> int:
    """Build the project's images by Docker and load them into the cluster."""
    with step("the project's images"):
        for image in project.IMAGES:
            base = _base(image)
            build = ["docker", "build", "--quiet", f"--file={image.dockerfile}", f"--tag={image.name}"]
            build += [f"--build-arg=BASE={base}"] if base else []
            build += [f"--target={image.target}"] if image.target else []
            _do(*build, str(image.context))
            _do(_kind(), "load", "docker-image", image.name, f"--name={_NAME}")
    return 0


def _base(image: project.Image) -> str | None:
    """Name the image that it is built on; None for the one that its Dockerfile names."""
    if isinstance(image.base, project.Image):
        return image.base.name
    return next((_SERVERS[package] for package in image.base if package in _SERVERS), None)


def _kind() -> str:
    return shutil.which("kind") or str(_built(programs.KIND, "kind"))


def _own(name: str) -> Path:
    """Find kubectl or helm on the PATH, or build it."""
    folders = [folder for folder in os.environ["PATH"].split(os.pathsep) if Path(folder) != KUBECONFIG.parent / "bin"]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is not None:
        return Path(found)
    return _built(programs.KUBERNETES, "kubernetes") if name == "kubectl" else _built(programs.HELM, "helm")


def _built(module: programs.Module, program: str) -> Path:
    programs.build(module)
    return module.folder / program


def _exists() -> bool:
    done = subprocess.run([_kind(), "get", "clusters"], capture_output=True, text=True, check=False)
    return _NAME in done.stdout.split()


def _do(*command: str) -> None:
    said = _run(*command)
    if said is not None:
        raise ClusterError(f"{' '.join(command)} failed:\n{said}")


def _run(*command: str) -> str | None:
    """Run a command; returns what it said if it failed, else None."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode != 0 else None
