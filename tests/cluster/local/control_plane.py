"""The control plane: etcd, API server, controller manager and scheduler."""

import parts
import places
from kubectl import kubectl
from places import BIN, KUBECONFIGS, NODE_ADDRESS, PKI
from steps import step

PARTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")

_ETCD = "unix://etcd.sock:0"
"""A socket in its folder, so that only root gets to the cluster's data; etcd wants a port in every address."""


def up() -> None:
    """Start the control plane and wait until the API is ready."""
    with step("etcd, kube-apiserver"):
        _start_etcd()
        _start_api_server()
        parts.wait_for("kube-apiserver", "the API server isn't ready", kubectl("get", "--raw=/readyz"))
    with step("kube-controller-manager, kube-scheduler"):
        _start_controller_manager()
        _start_scheduler()


def _start_etcd() -> None:
    peer = "unix://etcd-peer.sock:0"
    command = [
        "etcd",
        f"--data-dir={places.HOME / 'etcd'}",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--logger=zap",
        "--log-level=warn",
    ]
    parts.start("etcd", command, {"ETCD_UNSUPPORTED_ARCH": "arm64"})


def _start_api_server() -> None:
    issuer = f"https://kubernetes.default.svc.{places.DNS_DOMAIN}"
    command = [
        f"{BIN}/kube-apiserver",
        f"--etcd-servers=unix://{places.HOME}/etcd.sock:0",
        f"--bind-address={NODE_ADDRESS}",
        f"--advertise-address={NODE_ADDRESS}",
        f"--service-cluster-ip-range={places.SERVICE_CIDR}",
        f"--tls-cert-file={PKI / 'apiserver.crt'}",
        f"--tls-private-key-file={PKI / 'apiserver.key'}",
        f"--client-ca-file={PKI / 'ca.crt'}",
        f"--kubelet-certificate-authority={PKI / 'ca.crt'}",
        f"--kubelet-client-certificate={PKI / 'apiserver-kubelet-client.crt'}",
        f"--kubelet-client-key={PKI / 'apiserver-kubelet-client.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-issuer={issuer}",
        f"--service-account-key-file={PKI / 'service-accounts.crt'}",
        f"--service-account-signing-key-file={PKI / 'service-accounts.key'}",
        f"--requestheader-client-ca-file={PKI / 'front-proxy-ca.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={PKI / 'front-proxy-client.crt'}",
        f"--proxy-client-key-file={PKI / 'front-proxy-client.key'}",
        "--enable-aggregator-routing=true",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--profiling=false",
    ]
    parts.start("kube-apiserver", command)


def _start_controller_manager() -> None:
    own = KUBECONFIGS / "kube-controller-manager"
    command = [
        f"{BIN}/kube-controller-manager",
        "--bind-address=127.0.0.1",
        f"--kubeconfig={own}",
        f"--authentication-kubeconfig={own}",
        f"--authorization-kubeconfig={own}",
        "--leader-elect=false",
        f"--root-ca-file={PKI / 'ca.crt'}",
        f"--cluster-signing-cert-file={PKI / 'ca.crt'}",
        f"--cluster-signing-key-file={PKI / 'ca.key'}",
        f"--service-account-private-key-file={PKI / 'service-accounts.key'}",
        "--use-service-account-credentials",
        # Tests wait for the autoscaler: it looks every 2 seconds, and shrinks after 5 instead of 300.
        "--horizontal-pod-autoscaler-sync-period=2s",
        "--horizontal-pod-autoscaler-downscale-stabilization=5s",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--profiling=false",
    ]
    parts.start("kube-controller-manager", command)


def _start_scheduler() -> None:
    own = KUBECONFIGS / "kube-scheduler"
    command = [
        f"{BIN}/kube-scheduler",
        "--bind-address=127.0.0.1",
        f"--kubeconfig={own}",
        f"--authentication-kubeconfig={own}",
        f"--authorization-kubeconfig={own}",
        "--leader-elect=false",
    ]
    parts.start("kube-scheduler", command)
