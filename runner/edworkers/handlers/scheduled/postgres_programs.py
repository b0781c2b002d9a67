"""PostgreSQL's own programs: where they are, of which version, and how they are told where the database is."""

import asyncio
import os
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from pathlib import Path

from edworkers.handlers.scheduled.work import refused

FOLDER = "EDWORKERS_POSTGRES_BIN"
NEEDED = ("pg_dump", "pg_restore")
_VERSION = re.compile(r"\(PostgreSQL\) ([0-9]+)(?:\.([0-9]+))?")

_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "channel_binding": "PGCHANNELBINDING",
    "gssencmode": "PGGSSENCMODE",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "options": "PGOPTIONS",
}


def find_folder(env: Mapping[str, str]) -> Path | None:
    """Find the newest programs: in EDWORKERS_POSTGRES_BIN, where Debian puts them, or on the PATH."""
    wanted = env.get(FOLDER, "").strip()
    folders = [Path(wanted)] if wanted else _folders(env)
    return next((folder for folder in folders if all(os.access(folder / name, os.X_OK) for name in NEEDED)), None)


def _folders(env: Mapping[str, str]) -> list[Path]:
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(debian, key=lambda folder: folder.parent.name.zfill(8), reverse=True)
    found = shutil.which("pg_dump", path=env.get("PATH") or os.defpath)
    return [*newest, *([] if found is None else [Path(found).parent])]


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the folder that is set. Where none is, a backup is what misses the programs."""
    wanted = env.get(FOLDER, "").strip()
    if not wanted or find_folder(env) is not None:
        return []
    return [f"{FOLDER}: no programs pg_dump and pg_restore are in the folder {wanted!r}"]


def needed_folder(env: Mapping[str, str]) -> Path:
    """Find the programs. Raises TaskError."""
    folder = find_folder(env)
    if folder is None:
        raise refused(
            "pg_dump",
            "the programs pg_dump and pg_restore are missing: install those of the server's version or newer "
            f"(apt-get install postgresql-client), or name their folder by {FOLDER}; then replay the job",
        )
    return folder


def connection_environment(env: Mapping[str, str], url: str) -> dict[str, str]:
    """Give the environment that tells a program where the database is: its command line can be read by everybody."""
    from psycopg.conninfo import conninfo_to_dict

    parts = {name: str(value) for name, value in conninfo_to_dict(url).items() if value}
    kept = {name: env[name] for name in ("PATH", "HOME") if name in env}
    told = {_VARIABLES[name]: value for name, value in parts.items() if name in _VARIABLES}
    return {**kept, "LC_ALL": "C", "PGCONNECT_TIMEOUT": "10", "PGAPPNAME": "edworkers database-backup", **told}


async def version_of(program: Path) -> tuple[int, str]:
    """Ask a program for its major version, and the whole of it. Raises TaskError where it tells none."""
    process = await asyncio.create_subprocess_exec(program, "--version", stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    said, _ = await process.communicate()
    found = _VERSION.search(said.decode(errors="replace"))
    if found is None:
        raise refused("pg_dump", f"{program} doesn't tell its version; install PostgreSQL's own")
    return int(found[1]), ".".join(part for part in found.groups() if part)


def check_versions(program: tuple[int, str], major: int, server: str) -> None:
    """Refuse a pg_dump that is older than the server: it would refuse as well, in fewer words. Raises TaskError."""
    if program[0] < major:
        raise refused(
            "pg_dump",
            f"pg_dump is of version {program[1]} and the server of version {server}: install version {major} or newer "
            f"(apt-get install postgresql-client-{major}), or name its folder by {FOLDER}; then replay the job",
        )
