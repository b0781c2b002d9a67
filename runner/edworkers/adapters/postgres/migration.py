"""The migrations that this version of edworkers knows, read from its SQL files."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

_NAME = re.compile(r"(?P<version>[0-9]{4})_(?P<name>[a-z0-9_]+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """What tells that the file was changed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.version:04} {self.name}"


def read_migrations() -> list[Migration]:
    """Read all, in their order. Raises ValueError when two have one number, or a name doesn't fit."""
    folder = files("edworkers.adapters.postgres.migrations")
    found = {file.name: file for file in folder.iterdir() if file.name.endswith(".sql")}
    return in_order({name: file.read_text(encoding="utf-8") for name, file in found.items()})


def in_order(texts: dict[str, str]) -> list[Migration]:
    """Make migrations of file names and their SQL, as `read_migrations` does."""
    migrations = sorted((_migration(name, sql) for name, sql in texts.items()), key=lambda each: each.version)
    _refuse_twice([each.version for each in migrations])
    return migrations


def _migration(file: str, text: str) -> Migration:
    named = _NAME.fullmatch(file)
    if named is None:
        raise ValueError(f"{file}: is not named as 0001_what_it_makes.sql")
    return Migration(int(named["version"]), named["name"], text.replace("\r\n", "\n"))


def _refuse_twice(versions: Sequence[int]) -> None:
    twice = sorted({version for version in versions if versions.count(version) > 1})
    if twice:
        raise ValueError(f"two migrations have the number {twice[0]:04}")
