"""The images that the tests run: ours by their own Dockerfiles, and Debian's servers. Each is built when it changed."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import debian
import places
from steps import ClusterError, step

if TYPE_CHECKING:
    from buildah import Buildah

TESTS = places.PROJECT / "tests" / "cluster"
_PACKAGE = ("LICENSE", "README.md", "operator", "pyproject.toml", "runner", ".dockerignore")


@dataclass(frozen=True)
class Image:
    """What an image is made of."""

    name: str
    dockerfile: Path
    context: Path
    base: "Image | tuple[str, ...]"
    """Another image, or the packages of a Debian."""
    inputs: tuple[str, ...] = ()
    """Files and folders of the context that get into the image, or decide what does."""
    target: str = ""
    """The stage of the Dockerfile; its last one without it."""

    def key(self) -> str:
        """Hash everything that decides what is built; a Debian is known by its packages, not by their versions."""
        base = self.base.key() if isinstance(self.base, Image) else debian.recipe(self.base)
        hashed = hashlib.sha256(json.dumps([self.name, base, self.target]).encode())
        for file in (self.dockerfile, *self._files()):
            content = file.read_bytes()
            hashed.update(f"{file.name} {file.relative_to(places.PROJECT)} {len(content)} ".encode() + content)
        return hashed.hexdigest()[:16]

    def _files(self) -> Iterator[Path]:
        for name in self.inputs:
            path = self.context / name
            found = sorted(path.rglob("*")) if path.is_dir() else [path]
            yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)


def _ours(name: str, *requirements: str, dockerfile: str = "", target: str = "") -> Image:
    return Image(
        f"edworkers-{name}:test",
        places.PROJECT / (dockerfile or f"Dockerfile.{name}"),
        places.PROJECT,
        ("python3", "python3-venv", "ca-certificates"),
        (*_PACKAGE, *(f"requirements/{file}.txt" for file in ("build", *requirements))),
        target,
    )


def _of_tests(name: str, file: str, base: Image | tuple[str, ...], *inputs: str) -> Image:
    return Image(name, TESTS / "images" / f"{file}.Containerfile", TESTS, base, inputs)


RUNNER = _ours("runner", "runner")
OPERATOR = _ours("operator", "operator")
IMAGES = (
    RUNNER,
    OPERATOR,
    _ours("documents", "runner", "documents", dockerfile="Dockerfile.runner", target="documents"),
    _of_tests("edworkers-redis:test", "redis", ("redis-server",)),
    _of_tests("edworkers-postgres:test", "postgres", ("postgresql",), "images/postgres.sh"),
    _of_tests("edworkers-runner-e2e:test", "runner-e2e", RUNNER, "handlers_for_cluster.py", "mail_for_cluster.py"),
    _of_tests("edworkers-operator:test-next", "operator-next", OPERATOR),
)


def build(cache: Path) -> list[Path]:
    """Build what changed since the last time, and give the images as OCI archives; a changed one has another path.

    Raises ClusterError, which says what to install or what failed.
    """
    folder = cache / "images"
    folder.mkdir(parents=True, exist_ok=True)
    archives = {image: folder / f"{_plain(image.name)}-{image.key()}.oci" for image in IMAGES}
    with _alone(folder):
        missing = {image: archive for image, archive in archives.items() if not archive.exists()}
        if missing:
            _build(missing, folder)
    return list(archives.values())


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Wait until nobody else builds here: builds of the same stages in one storage take each other's files."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(missing: dict[Image, Path], folder: Path) -> None:
    from buildah import storage

    lacking = [program for program in ("buildah", "mmdebstrap") if shutil.which(program) is None]
    if lacking:
        raise ClusterError(f"please install what builds the images: apt-get install {' '.join(lacking)}")
    if os.geteuid() != 0:
        raise ClusterError("the images are built as root: run it as root, or with sudo")
    with storage(folder / "storage") as buildah:
        for image, archive in missing.items():
            built = _built(image, folder, buildah)
            for older in folder.glob(f"{_plain(image.name)}-{'?' * 16}.oci"):
                older.unlink()
            buildah.save(built, archive, image.name)


def _built(image: Image, folder: Path, buildah: "Buildah") -> str:
    """Name the image in the storage; it is built if it isn't there, after what it is built on."""
    name = f"{image.name}-{image.key()}"
    if not buildah.has(name):
        below = image.base
        base = _built(below, folder, buildah) if isinstance(below, Image) else _debian(below, folder, buildah)
        with step(f"image {image.name}"):
            arguments = {"BASE": f"localhost/{base}"}
            buildah.build(name, image.dockerfile, image.context, arguments, target=image.target)
    return name


def _debian(packages: tuple[str, ...], folder: Path, buildah: "Buildah") -> str:
    dockerfile = TESTS / "images" / "debian.Containerfile"
    decides = json.dumps([debian.recipe(packages), dockerfile.read_text()])
    name = f"edworkers-debian:{hashlib.sha256(decides.encode()).hexdigest()[:16]}"
    if not buildah.has(name):
        tar = folder / "debian.tar"
        with step(f"a Debian with {', '.join(packages)}"):
            debian.make(packages, tar)
            buildah.build(name, dockerfile, folder, {"ROOT": tar.name})
            tar.unlink()
    return name


def _plain(name: str) -> str:
    return name.replace(":", "-")
