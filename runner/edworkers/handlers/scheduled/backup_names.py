"""How backups are called, and which of them are no longer kept."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MOMENT = "%Y%m%dT%H%M%SZ"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
DUMP = ".dump"
MANIFEST = ".json"


def stem_of(database: str, moment: datetime, job_id: str) -> str:
    """Make the name of a backup, without an ending: `edworkers-backup-<database>-<time>-<of the job>`."""
    mark = hashlib.sha256(job_id.encode()).hexdigest()[:8]
    return f"edworkers-backup-{_safe(database)}-{moment.astimezone(UTC).strftime(_MOMENT)}-{mark}"


def _safe(database: str) -> str:
    """Make a database's name fit for URLs; where that changes it, it gets a mark, so that no two become one."""
    safe = _UNSAFE.sub("_", database)
    return safe if safe == database else f"{safe}_{hashlib.sha256(database.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that is stored."""

    stem: str
    moment: datetime
    endings: frozenset[str]

    @property
    def verified(self) -> bool:
        """Whether it was found good: its manifest is written after that."""
        return {DUMP, MANIFEST} <= self.endings


def find_backups(names: Iterable[str], database: str) -> list[Backup]:
    """Pick the backups of one database out of names of objects, the latest first; all else is nobody's business."""
    pattern = re.compile(
        rf"(edworkers-backup-{re.escape(_safe(database))}-([0-9]{{8}}T[0-9]{{6}}Z)-[0-9a-f]{{8}})({DUMP}|{MANIFEST})".replace(
            ".dump", r"\.dump"
        ).replace(".json", r"\.json")
    )
    endings: dict[tuple[str, datetime], set[str]] = {}
    for name in names:
        found = pattern.fullmatch(name)
        moment = None if found is None else _moment(found[2])
        if found is not None and moment is not None:
            endings.setdefault((found[1], moment), set()).add(found[3])
    backups = [Backup(stem, moment, frozenset(found)) for (stem, moment), found in endings.items()]
    return sorted(backups, key=lambda backup: (backup.moment, backup.stem), reverse=True)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _MOMENT).replace(tzinfo=UTC)
    except ValueError:
        return None


def to_prune(backups: Iterable[Backup], now: datetime, *, keep_last: int, keep_days: int) -> list[Backup]:
    """Say which backups go: those that are older than `keep_days`, and not among the last `keep_last` good ones."""
    latest = sorted(backups, key=lambda backup: (backup.moment, backup.stem), reverse=True)
    kept = {backup.stem for backup in [each for each in latest if each.verified][:keep_last]}
    oldest = now - timedelta(days=keep_days)
    return [backup for backup in latest if backup.stem not in kept and backup.moment < oldest]
