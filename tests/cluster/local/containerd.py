"""containerd: runs the containers, with folders, socket and network of its own, beside any other on the machine."""

import json
import subprocess
import tarfile
from pathlib import Path

import parts
import places
from places import HOME
from steps import ClusterError

SOCKET = HOME / "containerd.sock"
SANDBOX = "edworkers-pause:test"
"""The image of what holds a pod's namespaces open."""

_CNI = HOME / "cni"
_CNI_PROGRAMS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))
_SHORT_NAMES = "docker.io/library/"
"""What a name without a host stands for; containerd knows images by the long name only."""

_CONFIG = """
version = 2
root = "{home}/containerd"
state = "{home}/containerd-state"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.tracing",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{sandbox}"
  netns_mounts_under_state_dir = true
  # Without the right to lower it (a container's CAP_SYS_RESOURCE), no container would start.
  restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{programs}"
  conf_dir = "{cni}"

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "{snapshotter}"
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  Root = "{home}/runc"
  SystemdCgroup = false
"""


def up() -> None:
    """Start containerd and wait until it answers."""
    _CNI.mkdir(exist_ok=True)
    (_CNI / "10-edworkers.conflist").write_text(json.dumps(_network(), indent=1))
    config = HOME / "containerd.toml"
    config.write_text(
        _CONFIG.format(
            home=HOME,
            socket=SOCKET,
            sandbox=_SHORT_NAMES + SANDBOX,
            programs=cni_programs(),
            cni=_CNI,
            snapshotter=_snapshotter(),
        )
    )
    parts.start("containerd", ["containerd", f"--config={config}", "--log-level=warn"])
    parts.wait_for("containerd", "containerd doesn't answer", _ctr("version"))


def import_image(archive: Path) -> None:
    """Load an image from an OCI or Docker archive, by the names that it has there; raises ClusterError."""
    _do("images", "import", f"--snapshotter={_snapshotter()}", str(archive))
    for name in names_in(archive):
        _do("images", "tag", "--force", name, long_name(name))


def names_in(archive: Path) -> list[str]:
    """Read the names of an OCI archive's images; a Docker archive's are known to containerd by themselves."""
    with tarfile.open(archive) as tar:
        try:
            index = tar.extractfile("index.json")
        except KeyError:
            return []
        assert index is not None
        manifests = json.load(index)["manifests"]
    names = [manifest.get("annotations", {}).get("org.opencontainers.image.ref.name") for manifest in manifests]
    return [name for name in names if name]


def long_name(name: str) -> str:
    """Give the name by which containerd knows an image: `runner:test` is short for one with a host."""
    host, slash, _ = name.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        return name
    return f"{_SHORT_NAMES.partition('/')[0]}/{name}" if slash else _SHORT_NAMES + name


def cni_programs() -> Path | None:
    """Find the folder of the programs that connect pods to the network."""
    return next((folder for folder in _CNI_PROGRAMS if (folder / "bridge").exists()), None)


def _network() -> dict[str, object]:
    ipam = {
        "type": "host-local",
        "dataDir": str(_CNI / "addresses"),
        "ranges": [[{"subnet": places.POD_CIDR, "gateway": places.NODE_ADDRESS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": places.BRIDGE, "isGateway": True, "hairpinMode": True, "ipam": ipam}
    return {"cniVersion": "0.4.0", "name": "edworkers", "plugins": [bridge]}


def _snapshotter() -> str:
    """Overlays, where the folder's filesystem can be under one (in some containers it can't), else plain copies."""
    folder = HOME / "overlay"
    if not folder.exists():
        for name in ("lower", "upper", "work", "merged"):
            (folder / name).mkdir(parents=True)
        options = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
        mount = ["mount", "-t", "overlay", "overlay", "-o", options, f"{folder}/merged"]
        if parts.succeeds(mount):
            subprocess.run(["umount", folder / "merged"], check=True)
            (folder / "works").touch()
    return "overlayfs" if (folder / "works").exists() else "native"


def _ctr(*words: str) -> list[str]:
    return ["ctr", f"--address={SOCKET}", "--namespace=k8s.io", *words]


def _do(*words: str) -> None:
    done = subprocess.run(_ctr(*words), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"ctr {' '.join(words)}: {done.stderr.strip()}")
