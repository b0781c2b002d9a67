"""The cluster's DNS server: CoreDNS as a process of the machine, which knows Services and nothing else."""

import parts
import places
from kubectl import apply_objects
from places import BIN, HOME, KUBECONFIGS, NODE_ADDRESS
from steps import step

PARTS = ("coredns",)

_READY = "127.0.0.1:10254"

_COREFILE = f"""\
.:53 {{
    bind {NODE_ADDRESS}
    errors
    ready {_READY}
    cache 5
    kubernetes {places.DNS_DOMAIN} in-addr.arpa {{
        kubeconfig {KUBECONFIGS / "coredns"}
        ttl 5
    }}
}}
"""

_ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "edworkers-coredns"},
    "rules": [
        {"apiGroups": [""], "resources": ["services", "namespaces", "endpoints", "pods"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ],
}
_BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "edworkers-coredns"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edworkers-coredns"},
    "subjects": [{"kind": "User", "name": "edworkers-coredns", "apiGroup": "rbac.authorization.k8s.io"}],
}


def up() -> None:
    """Start the DNS server and wait until it has seen the cluster's Services."""
    with step("coredns"):
        apply_objects(_ROLE, _BINDING)
        corefile = HOME / "Corefile"
        corefile.write_text(_COREFILE)
        parts.start("coredns", [f"{BIN}/coredns", "-conf", str(corefile)])
