"""Servers for a test's namespace, each one pod behind a Service of its name."""

from typing import Any

from tests.cluster.kube import Kube

_RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def start(kube: Kube, name: str, image: str, port: int, *command: str) -> None:
    """Start a server from an image of the tests, by its own command or another; it may write to /data and /tmp."""
    kube.apply(_pod(name, image, port, command), _service(name, port))


def until_ready(kube: Kube, *names: str) -> None:
    kube.run("wait", "--for=condition=Ready", *(f"pod/{name}" for name in names), "--timeout=100s")


def stop(kube: Kube, *names: str) -> None:
    kube.run(
        "delete",
        *(f"{kind}/{name}" for name in names for kind in ("pod", "service")),
        "--ignore-not-found",
        "--wait=false",
    )


def _pod(name: str, image: str, port: int, command: tuple[str, ...]) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": name,
        "image": image,
        "imagePullPolicy": "Never",
        "ports": [{"containerPort": port}],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": _RESTRICTED,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "tmp", "mountPath": "/tmp"}],
    }
    if command:
        container["command"] = list(command)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"server": name}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
        },
    }


def _service(name: str, port: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"server": name}, "ports": [{"port": port}]},
    }
