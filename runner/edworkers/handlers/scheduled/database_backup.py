"""`database-backup`: pg_dump's custom format, streamed to storage, read back, and old ones pruned.

Nothing of it is ever a file of this machine. A backup is a dump and, once it was found good, a manifest beside it.

Environment: BACKUP_DATABASE_URL, where NEON_DATABASE_URL is the address of a pooler, which pg_dump can't use; or else
that; the storage's own; EDWORKERS_POSTGRES_BIN, the folder of pg_dump and pg_restore (the newest that is installed).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_core import to_json

from edworkers.adapters.postgres.connection import connect, database_url
from edworkers.adapters.storage import Store, open_store
from edworkers.adapters.storage import find_faults as faults_of_storage
from edworkers.core.outcome import Done, Outcome
from edworkers.handlers.data import JobData
from edworkers.handlers.scheduled import postgres_programs, work
from edworkers.handlers.scheduled.backup_names import DUMP, MANIFEST, find_backups, stem_of, to_prune
from edworkers.handlers.scheduled.database_facts import Facts, read_facts
from edworkers.handlers.scheduled.dump_stream import Contents, Dump, list_contents
from edworkers.handlers.scheduled.folders import Folder
from edworkers.handlers.scheduled.streams import once
from edworkers.handlers.scheduled.work import opens, refused
from edworkers.ports import Handler, JobContext

DIRECT = "BACKUP_DATABASE_URL"


class DatabaseBackupData(JobData):
    """Where backups go, and which of the older ones are kept."""

    destination: Folder
    keep_last: int = Field(default=7, ge=1, le=1000)
    """How many of the latest good backups are kept, however old."""
    keep_days: int = Field(default=30, ge=0, le=3660)
    """Every backup is kept so many days."""


def _direct(env: Mapping[str, str]) -> dict[str, str]:
    """Give the environment in which the database's address is the direct one."""
    url = env.get(DIRECT, "").strip() or database_url(env) or ""
    return {**env, "NEON_DATABASE_URL": url}


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the environment."""
    faults = work.find_faults(_direct(env))
    if env.get(DIRECT, "").strip():
        faults = [fault.replace("NEON_DATABASE_URL", DIRECT) for fault in faults]
    return [*faults, *faults_of_storage(env), *postgres_programs.find_faults(env)]


@dataclass(frozen=True, slots=True)
class _Backup:
    """One backup on its way."""

    store: Store
    folder: Path
    env: Mapping[str, str]
    stem: str
    begun: datetime

    async def take(self, before: Facts) -> dict[str, Any]:
        """Dump, and check what was stored; gives the manifest. Leaves no dump that wasn't found good."""
        dump = Dump(self.folder / "pg_dump", self.env)
        version = await postgres_programs.version_of(self.folder / "pg_dump")
        postgres_programs.check_versions(version, before.major, before.server_version)
        await self.store.write(f"{self.stem}{DUMP}", dump.chunks())
        return {
            "formatVersion": 1,
            "database": before.database,
            "startedAt": _written(self.begun),
            "serverVersion": before.server_version,
            "pgDumpVersion": version[1],
            "bytes": dump.bytes,
            "sha256": dump.sha256,
        }

    async def verify(self, manifest: Mapping[str, Any], lasting: set[int]) -> Contents:
        """Read the dump back: the same bytes, and every table in its contents. Raises TaskError."""
        chunks = self.store.read(f"{self.stem}{DUMP}")
        contents, checksum = await list_contents(self.folder / "pg_restore", self.env, chunks)
        if checksum != manifest["sha256"]:
            raise refused("backup", "what was stored is not what pg_dump wrote: the backup was removed")
        missing = lasting - contents.tables
        if missing:
            raise refused("backup", f"{len(missing)} tables are missing in the dump: the backup was removed")
        return contents


async def _back_up(env: Mapping[str, str], data: DatabaseBackupData, job: JobContext) -> Outcome:
    direct = _direct(env)
    folder = postgres_programs.needed_folder(env)
    before = await _facts(direct)
    begun = datetime.now(UTC)
    stem = data.destination + stem_of(before.database, begun, job.id)
    async with open_store(env) as store:
        url = database_url(direct) or ""
        backup = _Backup(store, folder, postgres_programs.connection_environment(env, url), stem, begun)
        await job.progress(0.05, f"dumping {before.database}")
        manifest = await backup.take(before)
        await job.progress(0.6, "reading it back")
        manifest = await _check(backup, manifest, before, await _facts(direct))
        await store.write(f"{stem}{MANIFEST}", once(to_json(manifest, indent=2)))
        await job.progress(0.95, "pruning older ones")
        pruned = await _prune(store, data, before.database)
    kept = {name: manifest[name] for name in ("bytes", "sha256", "serverVersion", "tocEntries")}
    return Done({"url": f"{stem}{DUMP}", "manifest": f"{stem}{MANIFEST}", **kept, "pruned": pruned})


async def _facts(env: Mapping[str, str]) -> Facts:
    async with connect(env, application="edworkers database-backup") as connection:
        return await read_facts(connection)


async def _check(backup: _Backup, manifest: dict[str, Any], before: Facts, after: Facts) -> dict[str, Any]:
    """Verify, and remove a dump that isn't good. Tables that came or went meanwhile may be in it or not."""
    lasting = {table.oid for table in before.tables} & {table.oid for table in after.tables}
    try:
        contents = await backup.verify(manifest, lasting)
    except work.TaskError:
        await backup.store.delete(f"{backup.stem}{DUMP}")
        raise
    return {
        **manifest,
        "verifiedAt": _written(datetime.now(UTC)),
        "tocEntries": contents.entries,
        "tables": before.listed(),
    }


async def _prune(store: Store, data: DatabaseBackupData, database: str) -> list[str]:
    """Remove what is no longer kept; called only with a new backup that was found good."""
    found = await store.list(data.destination)
    names = [each.url.removeprefix(data.destination) for each in found]
    gone = to_prune(
        find_backups(names, database), datetime.now(UTC), keep_last=data.keep_last, keep_days=data.keep_days
    )
    for backup in gone:
        # The manifest first: what is cut off between the two leaves no manifest without its dump.
        for ending in (MANIFEST, DUMP):
            if ending in backup.endings:
                await store.delete(f"{data.destination}{backup.stem}{ending}")
    return [backup.stem for backup in gone]


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


HANDLER = Handler(
    type="database-backup",
    data=DatabaseBackupData,
    open=opens(_back_up),
    faults=find_faults,
    isolation="process",
)
