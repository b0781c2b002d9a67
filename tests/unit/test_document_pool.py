"""The pool of the queue `document`, what it reads from the environment, and the folders of its jobs."""

import os
import socket
import struct
from pathlib import Path

import pytest
import yaml

from edworkers.adapters.libreoffice import sealed
from edworkers.adapters.libreoffice.profile import SETTINGS, write_profile
from edworkers.adapters.libreoffice.sockets import remove_left_sockets
from edworkers.core.manifest import read_manifest
from edworkers.handlers import registry
from edworkers.handlers.document import settings
from edworkers.handlers.document.convert import MODULE
from edworkers.handlers.document.workspace import workspace

MANIFEST = Path(__file__).parents[2] / "manifests" / "examples" / "document.yaml"
[HANDLER] = MODULE.handlers


def test_the_example_manifest_is_the_pool() -> None:
    faults: list[str] = []
    assert read_manifest(yaml.safe_load(MANIFEST.read_text()), faults) == MODULE.pool
    assert faults == []


def test_the_slots_the_time_and_the_attempts_are_those_of_the_platform() -> None:
    pool = MODULE.pool
    assert (pool.concurrency, pool.job.timeout_seconds, pool.job.max_attempts) == (2, 300, 3)


def test_each_job_has_a_process_of_its_own_with_bounded_memory() -> None:
    assert (HANDLER.isolation, HANDLER.memory_bytes) == ("process", 1024**3)
    assert (MODULE.pool.job.isolation, MODULE.pool.job.memory) == ("process", 1024**3)


def test_the_environment_sets_the_slots() -> None:
    assert registry.override(MODULE, MODULE.pool, {"DOCUMENT_WORKER_CONCURRENCY": "5"}).concurrency == 5


def test_the_limits_are_read_from_the_environment() -> None:
    faults: list[str] = []
    usual = settings.read_limits({}, faults)
    assert (usual.max_bytes, usual.max_pages, usual.max_unpacked_bytes) == (100 * 1024**2, 2000, 256 * 1024**2)
    mine = settings.read_limits(
        {"DOCUMENT_MAX_BYTES": "10", "DOCUMENT_MAX_PAGES": "20", "DOCUMENT_MAX_UNPACKED_BYTES": "30"}, faults
    )
    assert (mine.max_bytes, mine.max_pages, mine.max_unpacked_bytes) == (10, 20, 30)
    assert faults == []


def test_every_fault_of_the_environment_is_named_at_once(tmp_path: Path) -> None:
    faults = HANDLER.faults(
        {
            "PATH": str(tmp_path),
            "EDWORKERS_WORK_FOLDER": str(tmp_path / "nowhere"),
            "DOCUMENT_MAX_BYTES": "0",
            "DOCUMENT_ALLOWED_NETWORKS": "x",
        }
    )
    for beginning in (
        "DOCUMENT_MAX_BYTES: must be a whole number",
        f"EDWORKERS_WORK_FOLDER: {tmp_path}/nowhere is no folder that can be written to",
        "LibreOffice's soffice is not on PATH: apt-get install libreoffice-writer-nogui",
        "STORAGE_FOLDER or AWS_ACCESS_KEY_ID: there is no storage",
        "DOCUMENT_ALLOWED_NETWORKS: ",
    ):
        assert [fault for fault in faults if fault.startswith(beginning)], (beginning, faults)


def test_a_folder_is_given_to_a_job_and_taken_away(tmp_path: Path) -> None:
    with workspace(tmp_path) as mine, workspace(tmp_path) as other:
        assert mine != other
        (mine / "file").write_text("a")
        assert mine.parent == other.parent
        assert mine.parent.stat().st_mode & 0o777 == 0o700
    assert list(mine.parent.iterdir()) == []


def test_what_killed_jobs_left_is_removed_and_what_others_use_is_not(tmp_path: Path) -> None:
    with workspace(tmp_path) as mine:
        left = mine.parent / "left"
        (left / "profile").mkdir(parents=True)
        with workspace(tmp_path):
            assert mine.exists()
            assert not left.exists()


def test_a_folder_that_somebody_else_has_put_there_is_not_used(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"edworkers-documents-{os.getuid()}").symlink_to(elsewhere)
    with pytest.raises(PermissionError, match="belongs to somebody else"), workspace(tmp_path):
        pass


def test_the_profile_turns_macros_and_links_off(tmp_path: Path) -> None:
    write_profile(tmp_path / "profile")
    written = (tmp_path / "profile" / "user" / "registrymodifications.xcu").read_text()
    for path, name, value in SETTINGS:
        assert f'oor:path="{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value>' in written
    assert {"MacroSecurityLevel", "DisableMacrosExecution", "BlockUntrustedRefererLinks"} <= {
        name for _, name, _ in SETTINGS
    }


ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x0005000D
MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}


def verdict(machine: str, number: int, architecture: int, family: int) -> int:
    """Run the filter as the kernel would."""
    steps: list[tuple[int, int, int, int]] = list(struct.iter_unpack("=HBBI", sealed.make_filter(machine)))
    seen = {0: number, 4: architecture, 16: family}
    value = at = 0
    while True:
        code, yes, no, word = steps[at]
        at += 1
        match code:
            case 0x20:
                value = seen[word]
            case 0x15:
                at += yes if value == word else no
            case 0x35:
                at += yes if value >= word else no
            case _:
                return word


@pytest.mark.parametrize("machine", MACHINES)
def test_the_filter_refuses_every_socket_but_local_ones(machine: str) -> None:
    architecture, socket = MACHINES[machine]
    assert verdict(machine, socket, architecture, 1) == ALLOW
    assert {verdict(machine, socket, architecture, family) for family in range(46) if family != 1} == {REFUSE}
    assert {verdict(machine, number, architecture, 2) for number in range(424) if number != socket} == {ALLOW}
    assert verdict(machine, 425, architecture, 0) == REFUSE
    assert verdict(machine, 0x40000000 + socket, architecture, 1) == KILL
    assert verdict(machine, socket, 0x40000003, 1) == KILL


def test_sockets_that_killed_programs_left_are_removed_and_those_in_use_are_not(tmp_path: Path) -> None:
    left, fresh, used = (tmp_path / f"OSL_PIPE_{os.getuid()}_SingleOfficeIPC_{name}" for name in ("l", "f", "u"))
    with socket.socket(socket.AF_UNIX) as listening:
        for path in (left, fresh):
            with socket.socket(socket.AF_UNIX) as ended:
                ended.bind(str(path))
        listening.bind(str(used))
        listening.listen()
        now = fresh.stat().st_mtime
        os.utime(left, (0, 0))
        os.utime(used, (0, 0))
        remove_left_sockets([tmp_path], now=now)
    assert {path.name for path in tmp_path.iterdir()} == {fresh.name, used.name}
