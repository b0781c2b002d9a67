"""Builds images from their Dockerfiles by buildah, in a storage of its own."""

import subprocess
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pip_settings
from steps import ClusterError

_TIMESTAMP = 1
"""The time of all files in seconds: what is built of the same is the same, to the byte."""


@dataclass(frozen=True)
class Buildah:
    """A storage with images in it, and how to get at it."""

    options: tuple[str, ...]

    def has(self, image: str) -> bool:
        """Tell whether the image is in the storage."""
        return self._run("inspect", "--type=image", image).returncode == 0

    def build(
        self, image: str, dockerfile: Path, context: Path, arguments: Mapping[str, str], target: str = ""
    ) -> None:
        """Build an image under this name, with pip set up as on this machine; raises ClusterError.

        The target is a stage of the Dockerfile; without it, it is the last one.
        """
        with tempfile.TemporaryDirectory(prefix="edworkers-pip-") as folder:
            self._do(
                *("build", "--isolation=chroot", "--network=host", "--layers", f"--timestamp={_TIMESTAMP}"),
                *(f"--build-arg={name}={value}" for name, value in arguments.items()),
                *([f"--target={target}"] if target else []),
                *pip_settings.options(Path(folder)),
                *(f"--tag={image}", f"--file={dockerfile}", str(context)),
            )

    def save(self, image: str, archive: Path, name: str) -> None:
        """Write an image as an OCI archive in which it has this name; raises ClusterError."""
        unfinished = archive.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        # Twice as quick as gzip, to write and to load.
        self._do("push", "--compression-format=zstd", image, f"oci-archive:{unfinished}:{name}")
        unfinished.rename(archive)

    def fault(self) -> str:
        """Say why the storage can't be used; nothing if it can."""
        done = self._run("info")
        return "" if done.returncode == 0 else done.stderr.strip()

    def clear(self) -> None:
        """Remove the containers that builds have left when they failed or were stopped; the images stay."""
        self._run("rm", "--all")

    def _do(self, *words: str) -> None:
        done = self._run(*words)
        if done.returncode != 0:
            raise ClusterError(f"buildah {words[0]} {words[-1]} failed:\n{(done.stdout + done.stderr)[-1500:]}")

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["buildah", *self.options, *words], capture_output=True, text=True, check=False)


@contextmanager
def storage(folder: Path) -> Generator[Buildah]:
    """Open a storage in a folder, of overlays where they work, else of plain copies; nothing of it is left mounted.

    Raises ClusterError. Whoever opens it has to be alone with it.
    """
    with tempfile.TemporaryDirectory(prefix="edworkers-buildah-") as state:
        found = _open(folder, Path(state))
        try:
            yield found
        finally:
            found.clear()
            _unmount(folder)


def _open(folder: Path, state: Path) -> Buildah:
    said = ""
    for driver in ("overlay", "vfs"):
        found = Buildah((f"--storage-driver={driver}", f"--root={folder / driver}", f"--runroot={state / driver}"))
        said = found.fault()
        if not said:
            return found
    raise ClusterError(f"buildah can't keep images in {folder}: {said}")


def _unmount(folder: Path) -> None:
    """Unmount what a storage has mounted in its folder, the folder's own bind mount last."""
    mounted = [Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for path in reversed(mounted):
        if path.is_relative_to(folder):
            subprocess.run(["umount", path], capture_output=True, check=False)
