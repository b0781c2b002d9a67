"""The programs of the cluster that Debian hasn't: built from their Go modules once, and cached outside the checkout."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import places
import toolchain
from steps import ClusterError, step

_KUBERNETES = "v1.34.4"
_KEDA = "2.21.0"
_HELM = "v4.3.1"
_COMPONENT = "k8s.io/component-base/version"


@dataclass(frozen=True)
class Module:
    """A Go module of ours under tests/cluster/programs, and what is built from it."""

    name: str
    version: str
    builds: Mapping[str, str]
    """A program's name, and the package it is built from."""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the linker sets, so that the program knows its version."""
    names: tuple[str, ...] = ()
    """The names under which the one program runs, when it is several."""
    copies: Mapping[str, str] = field(default_factory=dict[str, str])
    """Folders of a required module that are kept beside the programs: the folder, and the module's path."""
    minutes: float = 1
    """About how long it takes to build on two cores."""

    @property
    def source(self) -> Path:
        """The module's folder."""
        return places.MODULES / self.name

    @property
    def flags(self) -> list[str]:
        """The flags of `go build`."""
        linker = " ".join(["-s -w", *(f"-X {name}={value}" for name, value in self.variables.items())])
        return ["-trimpath", "-ldflags", linker]

    @property
    def folder(self) -> Path:
        """Where the programs are cached; another folder as soon as anything they are made of changes."""
        return places.CACHE / f"{self.name}-{self.key()}"

    def key(self) -> str:
        """Hash everything that decides what is built."""
        made_of = [json.dumps([self.flags, dict(self.builds), dict(self.copies)])]
        for file in sorted(self.source.iterdir()):
            if file.name in {"go.mod", "go.sum"} or file.suffix == ".go":
                made_of += [file.name, file.read_text()]
        return hashlib.sha256("\0".join(made_of).encode()).hexdigest()[:12]


KUBERNETES = Module(
    "kubernetes",
    _KUBERNETES,
    {"kubernetes": "."},
    variables={
        f"{_COMPONENT}.gitVersion": _KUBERNETES,
        f"{_COMPONENT}.gitMajor": _KUBERNETES[1:].split(".", maxsplit=1)[0],
        f"{_COMPONENT}.gitMinor": _KUBERNETES[1:].split(".")[1],
    },
    names=("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
    minutes=6,
)
COREDNS = Module("coredns", "1.15.0", {"coredns": "."}, minutes=2)
KEDA = Module(
    "keda",
    _KEDA,
    {
        "keda": "github.com/kedacore/keda/v2/cmd/operator",
        "keda-adapter": "github.com/kedacore/keda/v2/cmd/adapter",
    },
    variables={"github.com/kedacore/keda/v2/version.Version": _KEDA},
    copies={"config": "github.com/kedacore/keda/v2"},
    minutes=7,
)
HELM = Module(
    "helm",
    _HELM,
    {"helm": "helm.sh/helm/v4/cmd/helm"},
    variables={"helm.sh/helm/v4/internal/version.version": _HELM},
    minutes=2,
)
PAUSE = Module("pause", "1", {"pause": "."}, minutes=0.1)
KIND = Module("kind", "v0.33.0", {"kind": "sigs.k8s.io/kind"}, minutes=0.5)

OF_THE_HOST = (KUBERNETES, PAUSE, COREDNS, KEDA, HELM)
"""What a cluster of host processes needs."""


def build(*modules: Module) -> None:
    """Build what is not in the cache, one after the other."""
    for module in modules:
        if not module.folder.exists():
            _build(module)


def stamp() -> str:
    """Name the programs that are in use, so that a cluster of other ones can be told."""
    return "\n".join(module.folder.name for module in OF_THE_HOST)


def link(folder: Path) -> None:
    """Put every program into a folder, by the name under which it runs."""
    folder.mkdir(parents=True, exist_ok=True)
    for module in OF_THE_HOST:
        for program in module.builds:
            for name in module.names or (program,):
                _link(folder / name, module.folder / program)


def link_for_people(links: Mapping[str, Path]) -> None:
    """Put programs beside the kubeconfig, for people: kubectl and helm."""
    folder = places.FOR_PEOPLE / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name, program in links.items():
        _link(folder / name, program)


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _build(module: Module) -> None:
    go = toolchain.go()
    unfinished = module.folder.with_name(f".{module.folder.name}.{os.getpid()}")
    unfinished.mkdir(parents=True)
    try:
        with step(f"{module.name} {module.version}, built once (about {module.minutes:g} minutes on two cores)"):
            for program, package in module.builds.items():
                _go(module, [str(go), "build", *module.flags, "-o", str(unfinished / program), package])
            for folder, path in module.copies.items():
                _copy(module, go, path, folder, unfinished)
        # Only what is whole gets its name: a build that was interrupted is begun anew.
        unfinished.rename(module.folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _copy(module: Module, go: Path, path: str, folder: str, to: Path) -> None:
    where = _go(module, [str(go), "list", "-m", "-f", "{{.Dir}}", path]).strip()
    # Go's module cache is read-only, and a copy must be removable.
    shutil.copytree(Path(where) / folder, to / folder, copy_function=shutil.copyfile)
    for made in (to / folder, *(to / folder).rglob("*/")):
        made.chmod(0o755)


def _go(module: Module, command: list[str]) -> str:
    done = subprocess.run(
        command, cwd=module.source, env=toolchain.environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ClusterError(f"{module.name} can't be built: {' '.join(command)}\n{done.stderr.strip()}")
    return done.stdout
