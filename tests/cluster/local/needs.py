"""What a cluster of host processes needs of the machine."""

import os
import subprocess
import sys

import places
from steps import ClusterError

PROGRAMS = ("containerd", "runc", "containernetworking-plugins", "etcd", "ip", "iptables", "buildah", "mmdebstrap")
"""Debian has these; the rest is built."""


def check() -> None:
    """Install what is missing where that is possible; raises ClusterError that names what is missing otherwise."""
    faults = []
    if sys.platform != "linux":
        faults.append(f"Linux: this is {sys.platform}")
    elif os.geteuid() != 0:
        faults.append("to be root: it makes a network bridge, mounts and cgroups")
    if faults:
        raise ClusterError(
            "without a Docker engine (`docker info` fails), the cluster runs as processes of this machine, and that "
            f"needs {' and '.join(faults)}. Start Docker, or run this as root on Linux."
        )
    # Some shells keep the folders of the administrator's programs from root's PATH.
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    script = places.PROJECT / "scripts" / "system.py"
    if subprocess.run([sys.executable, script, *PROGRAMS], check=False).returncode != 0:
        raise ClusterError("the programs above are missing")
