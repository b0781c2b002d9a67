"""`edworkers migrate`: the tables in PostgreSQL."""

import asyncio

from edworkers import pools
from edworkers.adapters.postgres.migrate import State, migrate, read_status
from edworkers.adapters.postgres.migration import Migration
from edworkers.cli.show import print_json, print_table, say


def run_migrations(to: int | None, *, as_json: bool) -> None:
    """Apply what is missing, and tell each step. Raises as `migrate` does."""

    def tell(migration: Migration) -> None:
        if not as_json:
            say(f"applied {migration}")

    done = asyncio.run(migrate(pools.read_environment(), to=to, tell=tell))
    if as_json:
        print_json({"applied": [{"version": each.version, "name": each.name} for each in done]})
    elif not done:
        say("nothing to do: the database has every migration")


def show_dry_run(to: int | None, *, as_json: bool) -> None:
    """Print the SQL that is missing. Raises as `read_status` does."""
    states = asyncio.run(read_status(pools.read_environment()))
    missing = [each for each in states if each.applied_at is None and (to is None or each.version <= to)]
    if as_json:
        print_json({"missing": [{"version": each.version, "name": each.name, "sql": _sql(each)} for each in missing]})
        return
    for state in missing:
        say(f"-- {state.version:04} {state.name}\n{_sql(state)}")
    if not missing:
        say("-- nothing to do: the database has every migration")


def _sql(state: State) -> str:
    return state.migration.sql if state.migration is not None else ""


def show_status(*, as_json: bool) -> None:
    """Tell of each migration when it was applied. Raises as `read_status` does."""
    states = asyncio.run(read_status(pools.read_environment()))
    if as_json:
        print_json({"migrations": [_as_document(state) for state in states]})
        return
    print_table(("migration", "name", "applied"), [(f"{each.version:04}", each.name, _when(each)) for each in states])


def _as_document(state: State) -> dict[str, object]:
    return {
        "version": state.version,
        "name": state.name,
        "appliedAt": state.applied_at,
        "known": state.migration is not None,
    }


def _when(state: State) -> str:
    if state.applied_at is None:
        return "not yet"
    of_newer = "" if state.migration is not None else ", by a newer edworkers"
    return f"{state.applied_at.astimezone():%Y-%m-%d %H:%M:%S}{of_newer}"
