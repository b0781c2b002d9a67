"""Where the cluster's files lie, and its addresses."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
MODULES = Path(__file__).resolve().parents[1] / "programs"

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edworkers" / "cluster"
"""Outlives the cluster and the checkout: built programs and images."""

HOME = Path("/var/lib/edworkers-cluster")
"""Everything that a running cluster writes; it is removed with the cluster."""

LOGS = HOME / "logs"
PKI = HOME / "pki"
KUBECONFIGS = HOME / "kubeconfigs"
BIN = HOME / "bin"
"""Links to the programs, each by the name under which it runs."""

FOR_PEOPLE = PROJECT / ".cluster"
"""What a person uses: the kubeconfig, kubectl and helm."""

BRIDGE = "edworkers0"
NODE = "edworkers"
NODE_ADDRESS = "10.244.0.1"
"""The machine's own address on the bridge, where API server, DNS server and kubelet listen for it and its pods."""

POD_CIDR = "10.244.0.0/24"
SERVICE_CIDR = "10.96.0.0/16"
KUBERNETES_SERVICE = "10.96.0.1"
API_SERVER = f"https://{NODE_ADDRESS}:6443"
DNS_DOMAIN = "cluster.local"
