"""The node: containerd, kubelet and kube-proxy on this machine."""

import json
import subprocess

import cgroups
import containerd
import parts
import places
from kubectl import kubectl
from oci import write_image
from places import BIN, HOME, KUBECONFIGS, NODE, NODE_ADDRESS, PKI
from steps import step

PARTS = ("containerd", "kubelet", "kube-proxy")

_KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "address": NODE_ADDRESS,
    "authentication": {
        "anonymous": {"enabled": False},
        "webhook": {"enabled": True},
        "x509": {"clientCAFile": str(PKI / "ca.crt")},
    },
    "authorization": {"mode": "Webhook"},
    "tlsCertFile": str(PKI / "kubelet.crt"),
    "tlsPrivateKeyFile": str(PKI / "kubelet.key"),
    "containerRuntimeEndpoint": f"unix://{containerd.SOCKET}",
    "cgroupDriver": "cgroupfs",
    "cgroupRoot": f"/{cgroups.NAME}",
    "clusterDNS": [NODE_ADDRESS],
    "clusterDomain": places.DNS_DOMAIN,
    # Pods know the cluster's names only: the machine's resolver may be one that they can't reach.
    "resolvConf": "/dev/null",
    "podLogsDir": str(places.LOGS / "pods"),
    "failSwapOn": False,
    "makeIPTablesUtilChains": False,
    # The machine may be as full as it likes; what matters is the tests' own limits.
    "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
    "imageGCHighThresholdPercent": 100,
    "imageGCLowThresholdPercent": 99,
    "maxPods": 200,
    "serializeImagePulls": False,
    # A ConfigMap that changes is seen in pods after seconds instead of a minute.
    "syncFrequency": "10s",
    "kubeAPIQPS": 100,
    "kubeAPIBurst": 200,
}

_PROXY = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "kind": "KubeProxyConfiguration",
    "bindAddress": NODE_ADDRESS,
    "healthzBindAddress": "127.0.0.1:10256",
    "metricsBindAddress": "127.0.0.1:10249",
    "nodePortAddresses": [f"{NODE_ADDRESS}/32"],
    "hostnameOverride": NODE,
    "clientConnection": {"kubeconfig": str(KUBECONFIGS / "kube-proxy")},
    "clusterCIDR": places.POD_CIDR,
    "mode": "iptables",
    # Answers between pods come back this way even where bridged packets pass by the firewall.
    "iptables": {"masqueradeAll": True, "syncPeriod": "10s", "minSyncPeriod": "100ms"},
    # The machine's own limits stay as they are.
    "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
}


def up() -> None:
    """Start the node and wait until it is ready to run pods."""
    with step("containerd, kubelet, kube-proxy"):
        cgroups.up()
        containerd.up()
        _import_pause()
        _start_kubelet()
        _start_proxy()
        ready = kubectl("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=1s")
        parts.wait_for("kubelet", "the node isn't ready", ready)


def forget_firewall_rules() -> None:
    """Remove the rules that kube-proxy made."""
    proxy = BIN / "kube-proxy"
    if proxy.exists():
        subprocess.run([str(proxy), "--cleanup"], capture_output=True, check=False)
    # This chain it leaves behind, empty.
    for command in (("-D", "INPUT", "-j"), ("-D", "OUTPUT", "-j"), ("-F",), ("-X",)):
        subprocess.run(["iptables", "-w", *command, "KUBE-FIREWALL"], capture_output=True, check=False)


def _import_pause() -> None:
    archive = HOME / "pause.tar"
    write_image(archive, containerd.SANDBOX, {"/pause": BIN / "pause"}, ["/pause"])
    containerd.import_image(archive)
    archive.unlink()


def _start_kubelet() -> None:
    config = HOME / "kubelet.json"
    config.write_text(json.dumps(_KUBELET, indent=1))
    command = [
        f"{BIN}/kubelet",
        f"--config={config}",
        f"--kubeconfig={KUBECONFIGS / 'kubelet'}",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_ADDRESS}",
        f"--root-dir={HOME / 'kubelet'}",
    ]
    parts.start("kubelet", command)


def _start_proxy() -> None:
    config = HOME / "kube-proxy.json"
    config.write_text(json.dumps(_PROXY, indent=1))
    parts.start("kube-proxy", [f"{BIN}/kube-proxy", f"--config={config}"])
