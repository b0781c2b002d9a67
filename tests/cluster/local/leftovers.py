"""Removes what containers, containerd and kubelet leave on the machine outside of the cluster's own folder."""

import json
import subprocess
from pathlib import Path

import places

_ELSEWHERE = (
    Path("/run/containerd"),
    Path("/run/netns"),
    Path("/var/lib/cni"),
    Path("/var/lib/kubelet"),
    Path("/var/log/containers"),
    Path("/var/log/pods"),
    Path("/opt/cni"),
    Path("/opt/containerd"),
    Path("/usr/libexec/kubernetes"),
)
"""Folders whose place is fixed in the programs."""

_NOT_HERE_BEFORE = places.HOME / "made.json"


def remember() -> None:
    """Write down which of the folders this cluster will make."""
    _NOT_HERE_BEFORE.write_text(json.dumps([str(folder) for folder in _ELSEWHERE if not folder.exists()]))


def remove() -> None:
    """Unmount what is mounted in the cluster's folders, and remove them."""
    try:
        made = [Path(name) for name in json.loads(_NOT_HERE_BEFORE.read_text())]
    except (FileNotFoundError, ValueError):
        made = []
    for folder in (*made, places.HOME):
        for mount in mounts_in(folder, Path("/proc/self/mountinfo").read_text()):
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
        # Not by Python, which takes half a minute for the images' files; and never into what is mounted even so.
        subprocess.run(["rm", "-rf", "--one-file-system", folder], check=True)


def mounts_in(folder: Path, table: str) -> list[str]:
    """Find the mounts at or below a folder in a table like /proc/self/mountinfo, the innermost first."""
    points = (line.split()[4].encode().decode("unicode_escape") for line in table.splitlines())
    return [point for point in reversed(list(points)) if Path(point).is_relative_to(folder)]
