"""The pod security standard "restricted", as far as it is about fields that this chart's pods have."""

from typing import Any

_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def violations(pod: dict[str, Any]) -> list[str]:
    """Say what a pod does that the standard forbids, and what of ours it leaves out."""
    spec = pod["spec"]
    found = [f"uses {name}" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    for volume in spec.get("volumes", []):
        found += [f"has a volume of {kind}" for kind in volume.keys() - {"name"} - _VOLUMES]
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        found += [f"{container['name']} {fault}" for fault in _of_container(container, spec.get("securityContext", {}))]
    return found


def _of_container(container: dict[str, Any], of_pod: dict[str, Any]) -> list[str]:
    own = container.get("securityContext", {})
    security = {**of_pod, **own}
    capabilities = own.get("capabilities", {})
    wanted = {
        "may be root": security.get("runAsNonRoot") is True,
        "is root": security.get("runAsUser", 1) != 0,
        "may gain rights": own.get("allowPrivilegeEscalation") is False,
        "is privileged": not own.get("privileged"),
        "keeps capabilities": capabilities.get("drop") == ["ALL"],
        "adds capabilities": set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"},
        "has no seccomp profile": security.get("seccompProfile", {}).get("type") in {"RuntimeDefault", "Localhost"},
        "takes a port of the host": not any(port.get("hostPort") for port in container.get("ports", [])),
        # Beyond the standard:
        "may write its root": own.get("readOnlyRootFilesystem") is True,
    }
    return [fault for fault, is_well in wanted.items() if not is_well]
