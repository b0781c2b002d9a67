"""The cluster's network on this machine: a bridge that only this machine has, and the firewall's rules about it.

What is changed is written down first, so that `down` finds it again even after a crash.
"""

import json
import subprocess
from pathlib import Path

import places
from places import BRIDGE
from steps import PRIVILEGES, ClusterError

_CHAIN = "EDWORKERS-CLUSTER"
_FORWARDING = "net.ipv4.ip_forward"
_CHANGED = (_FORWARDING, "vm.overcommit_memory", "vm.panic_on_oom", "kernel.panic", "kernel.panic_on_oops")
"""What this module (the first) and the kubelet (the others) set."""

_OUTWARDS = ("-i", BRIDGE, "!", "-o", BRIDGE, "-j", "REJECT")
"""Pods may not go out by the machine's other networks."""

_BEFORE = places.HOME / "sysctls.json"


def up() -> None:
    """Make the bridge with the node's address, and shut it to everyone but this machine and its pods."""
    _remember_sysctls()
    _set_sysctl(_FORWARDING, "1")
    width = places.POD_CIDR.rpartition("/")[2]
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    _run("ip", "address", "add", f"{places.NODE_ADDRESS}/{width}", "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")
    # The machine itself reaches Services too, even one without a default route.
    _run("ip", "route", "add", places.SERVICE_CIDR, "dev", BRIDGE)
    _run("iptables", "-w", "-N", _CHAIN)
    _run("iptables", "-w", "-A", _CHAIN, "-i", "lo", "-j", "RETURN")
    _run("iptables", "-w", "-A", _CHAIN, "-i", BRIDGE, "-j", "ACCEPT")
    _run("iptables", "-w", "-A", _CHAIN, "-d", places.POD_CIDR, "-j", "DROP")
    for chain in ("INPUT", "FORWARD"):
        _run("iptables", "-w", "-I", chain, "-j", _CHAIN)
    # Their addresses mean nothing elsewhere: better they are told at once than that they wait for answers.
    _run("iptables", "-w", "-I", "FORWARD", *_OUTWARDS)


def down() -> None:
    """Remove the bridge and the rules, whichever of them are there, and set back what was set."""
    _try("iptables", "-w", "-D", "FORWARD", *_OUTWARDS)
    for chain in ("INPUT", "FORWARD"):
        _try("iptables", "-w", "-D", chain, "-j", _CHAIN)
    _try("iptables", "-w", "-F", _CHAIN)
    _try("iptables", "-w", "-X", _CHAIN)
    _try("ip", "link", "delete", BRIDGE)
    _restore_sysctls()


def _remember_sysctls() -> None:
    values = {name: _sysctl(name).read_text().strip() for name in _CHANGED if _sysctl(name).exists()}
    _BEFORE.write_text(json.dumps(values))


def _restore_sysctls() -> None:
    try:
        values = json.loads(_BEFORE.read_text())
    except (FileNotFoundError, ValueError):
        return  # no cluster came so far as to change them
    for name, value in values.items():
        if _sysctl(name).read_text().strip() != value:
            _set_sysctl(name, value)


def _set_sysctl(name: str, value: str) -> None:
    try:
        _sysctl(name).write_text(value)
    except OSError as error:
        raise ClusterError(f"{name} can't be set to {value}: {error.strerror}; {PRIVILEGES}") from error


def _sysctl(name: str) -> Path:
    return Path("/proc/sys", *name.split("."))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"{' '.join(command)}: {done.stderr.strip()}; {PRIVILEGES}")


def _try(*command: str) -> None:
    subprocess.run(command, check=False, capture_output=True)
