"""The cluster as processes of this machine, for Linux and root where no Docker engine answers."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cgroups
import containerd
import control_plane
import coredns
import images as project
import keda
import leftovers
import needs
import network
import node
import parts
import pki
import places
import programs
from kubectl import KUBECONFIG, kubectl
from steps import ClusterError, step, wait_until

_PARTS = (*control_plane.PARTS, *node.PARTS, *coredns.PARTS)
_STAMP = places.HOME / "programs"
"""Which programs run; written when the cluster is whole."""

_LOADED = places.HOME / "loaded"
"""The names of the archives whose images the cluster has; a changed image comes in an archive of another name."""


def up() -> int:
    """Bring the cluster up, unless it is, with images of the code as it is; a broken one is removed first."""
    needs.check()
    with _alone():
        programs.build(*programs.OF_THE_HOST)
        archives = project.build(places.CACHE)
        if _is_whole():
            print("the cluster is up already")
            _load(archives)
        else:
            _remove()
            _create(archives)
        _tell()
    return 0


def down() -> int:
    """Remove the cluster and all its traces; it is no fault if there is none."""
    if places.HOME.exists() or parts.running():
        needs.check()
        with _alone(), step("down"):
            _remove()
    shutil.rmtree(places.FOR_PEOPLE, ignore_errors=True)
    return 0


def status() -> int:
    """Say which parts run; returns 0 if the cluster is whole."""
    for part in _PARTS:
        print(f"{'runs' if parts.is_running(part) else 'is missing':12}{part:26}{parts.log_of(part)}")
    if not _is_whole():
        print("the cluster is not whole; `make cluster` brings it up anew")
        return 1
    return subprocess.run(kubectl("get", "nodes,pods", "--all-namespaces"), check=False).returncode


def images() -> int:
    """Build the project's images anew and load them into the running cluster."""
    needs.check()
    with _alone():
        if not _is_whole():
            raise ClusterError("there is no cluster; bring it up first (`make cluster`)")
        _load(project.build(places.CACHE))
    return 0


def _create(archives: Sequence[Path]) -> None:
    places.HOME.mkdir(parents=True, mode=0o700)
    leftovers.remember()
    with step("network, keys and certificates"):
        programs.link(places.BIN)
        network.up()
        pki.make(places.PKI)
        _give_to_people()
    control_plane.up()
    node.up()
    coredns.up()
    keda.up(containerd.import_image)
    _load(archives)
    keda.wait()
    _STAMP.write_text(programs.stamp())


def _remove() -> None:
    # First whatever would start again what is ended.
    parts.end()
    cgroups.down()
    node.forget_firewall_rules()
    network.down()
    leftovers.remove()


def _is_whole() -> bool:
    """Say whether all of it runs; a busy one gets a minute to show that it is healthy."""
    if not (_STAMP.exists() and _STAMP.read_text() == programs.stamp() and all(map(parts.is_running, _PARTS))):
        return False
    _give_to_people()
    try:
        wait_until("the cluster isn't healthy", _is_healthy, seconds=60, fails=lambda: None)
    except ClusterError:
        return False
    return True


def _is_healthy() -> bool:
    node_is_ready = kubectl("wait", "--for=condition=Ready", f"node/{places.NODE}", "--timeout=5s")
    return parts.succeeds(kubectl("get", "--raw=/readyz")) and parts.succeeds(node_is_ready) and keda.is_available()


def _load(archives: Sequence[Path]) -> None:
    with step("the project's images"):
        _LOADED.mkdir(exist_ok=True)
        for archive in archives:
            if not (_LOADED / archive.name).exists():
                containerd.import_image(archive)
                (_LOADED / archive.name).touch()


def _give_to_people() -> None:
    places.FOR_PEOPLE.mkdir(exist_ok=True)
    programs.link_for_people(
        {"kubectl": programs.KUBERNETES.folder / "kubernetes", "helm": programs.HELM.folder / "helm"}
    )
    admin = places.KUBECONFIGS / "admin"
    if admin.exists():
        KUBECONFIG.unlink(missing_ok=True)
        KUBECONFIG.touch(mode=0o600)
        KUBECONFIG.write_text(admin.read_text())


def _tell() -> None:
    print(
        "Use it from the project's folder by:\n"
        '  export KUBECONFIG="$PWD/.cluster/kubeconfig" PATH="$PWD/.cluster/bin:$PATH"\n'
        "  kubectl get pods --all-namespaces"
    )


@contextmanager
def _alone() -> Generator[None]:
    """Wait until no other call of this program is at work."""
    places.CACHE.mkdir(parents=True, exist_ok=True)
    with (places.CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another call of this program to end", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))
        yield
