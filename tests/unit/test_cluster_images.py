"""How the test cluster loads images: by which names, and from which archives."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

import containerd
import oci


@pytest.mark.parametrize(
    ("name", "long"),
    [
        ("runner:test", "docker.io/library/runner:test"),
        ("team/runner:test", "docker.io/team/runner:test"),
        ("localhost/runner:test", "localhost/runner:test"),
        ("example.com/team/runner:test", "example.com/team/runner:test"),
        ("127.0.0.1:5000/runner:test", "127.0.0.1:5000/runner:test"),
    ],
)
def test_a_name_without_a_host_is_completed_as_the_kubelet_does(name: str, long: str) -> None:
    assert containerd.long_name(name) == long


def test_the_names_of_an_oci_archive_are_read_from_its_index(tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    named = {"annotations": {"org.opencontainers.image.ref.name": "runner:test"}}
    index = json.dumps({"manifests": [named, {}]}).encode()
    with tarfile.open(archive, "w") as tar:
        entry = tarfile.TarInfo("index.json")
        entry.size = len(index)
        tar.addfile(entry, io.BytesIO(index))
    assert containerd.names_in(archive) == ["runner:test"]


def test_an_image_of_a_program_holds_it_and_runs_it_without_root(tmp_path: Path) -> None:
    program = tmp_path / "built"
    program.write_bytes(b"\x7fELF")
    archive = tmp_path / "image.tar"
    oci.write_image(archive, "hello:test", {"/hello": program}, ["/hello"])
    with tarfile.open(archive) as tar:
        (manifest,) = json.load(_open(tar, "manifest.json"))
        config = json.load(_open(tar, manifest["Config"]))
        layer = _open(tar, manifest["Layers"][0]).read()
    assert manifest["RepoTags"] == ["hello:test"]
    assert config["config"]["Entrypoint"] == ["/hello"]
    assert config["config"]["User"] == "65532:65532"
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as files:
        assert _open(files, "hello").read() == b"\x7fELF"
        assert files.getmember("hello").mode == 0o755
    assert containerd.names_in(archive) == []


def _open(tar: tarfile.TarFile, name: str) -> io.BufferedReader:
    file = tar.extractfile(name)
    assert isinstance(file, io.BufferedReader)
    return file
