"""`edworkers ledger`: errors and finished jobs in PostgreSQL."""

import asyncio
import re
from collections.abc import Sequence

import typer

from edworkers import pools
from edworkers.adapters.postgres.ledger_reading import LedgerRow, find_errors, prune
from edworkers.cli.show import print_json, print_table, say

_TIME = re.compile(r"([0-9]{1,9})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_in(text: str, option: str) -> float:
    """Read a length of time as 90m, 24h or 7d. Raises typer.BadParameter."""
    found = _TIME.fullmatch(text.strip())
    if found is None or int(found[1]) * _UNITS[found[2]] > 3_000_000_000:
        raise typer.BadParameter(f"{option}: {text!r} is no length of time; write it as 90m, 24h or 7d")
    return float(int(found[1]) * _UNITS[found[2]])


def show_errors(
    queues: Sequence[str], kind: str | None, matching: str | None, seconds: float | None, limit: int, *, as_json: bool
) -> None:
    """List errors, the latest first. Raises as `find_errors` does."""
    env = pools.read_environment()
    found = asyncio.run(find_errors(env, queues=queues, kind=kind, matching=matching, seconds=seconds, limit=limit))
    if as_json:
        print_json({"errors": [_as_document(row) for row in found]})
        return
    columns = ("time", "queue", "id", "type", "kind", "attempts", "message")
    print_table(columns, [_as_row(row) for row in found], right=("attempts",))


def _as_row(row: LedgerRow) -> tuple[str, ...]:
    time = f"{row.occurred_at.astimezone():%Y-%m-%d %H:%M:%S}"
    return (time, row.queue, row.id, row.type or "-", row.kind, str(row.attempts), row.message)


def _as_document(row: LedgerRow) -> dict[str, object]:
    return {
        "queue": row.queue,
        "id": row.id,
        "occurredAt": row.occurred_at,
        "type": row.type,
        "kind": row.kind,
        "message": row.message,
        "traceback": row.traceback,
        "attempts": row.attempts,
        "data": row.data,
    }


def prune_ledger(seconds: float, *, as_json: bool) -> None:
    """Delete what is older than this, and say how much that was. Raises as `prune` does."""
    deleted = asyncio.run(prune(pools.read_environment(), seconds=seconds))
    if as_json:
        print_json({"deleted": deleted})
    else:
        say(f"deleted {deleted['jobs']} finished jobs and {deleted['errors']} errors")
