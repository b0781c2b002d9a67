"""`edworkers queues`, `pause`, `resume` and `schema`: whole queues."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edworkers import compose, pools
from edworkers.cli.exits import ExitCode
from edworkers.cli.report import tell_error
from edworkers.cli.show import distance, length, note, print_json, print_table, rfc3339, say
from edworkers.core.errors import QueueUnavailableError, SettingsError
from edworkers.core.settings import PoolSpec
from edworkers.handlers import registry
from edworkers.ports import Depths, Usage

_NUMBERS = ("pending", "oldest", "in flight", "delayed", "dead", "runners", "done", "failed")
_COLUMNS = ("queue", "state", *_NUMBERS, "limits used")


@dataclass(frozen=True, slots=True)
class Overview:
    """How one queue stands."""

    depths: Depths
    usage: Sequence[Usage]


def show_queues(names: Sequence[str], pool: Path | None, *, as_json: bool) -> ExitCode:
    """Show these queues, or all known ones; returns the exit code.

    Raises what `compose.open_queues` raises, where none of them can be read.
    """
    env = pools.read_environment()
    specs = [_as_run(spec, env) for spec in pools.look_up_each(names, env, pool)]
    overviews, faults = asyncio.run(_count(specs, env))
    if as_json:
        print_json({"queues": [_as_document(overview) for overview in overviews]})
    else:
        now = compose.SystemClock().now()
        print_table(_COLUMNS, [_as_row(overview, now) for overview in overviews], right=_NUMBERS)
    if not faults:
        return ExitCode.OK
    sys.stdout.flush()
    tell_error("these queues can't be read:", faults, as_json=as_json)
    return ExitCode.UNAVAILABLE


def _as_run(spec: PoolSpec, env: Mapping[str, str]) -> PoolSpec:
    """Apply the environment as a runner would; handlers that aren't installed here don't hide their queue."""
    try:
        return pools.make_pool(spec, env).spec
    except SettingsError as error:
        note(f"edworkers: {error}\n  - the limits of {spec.queue} are shown without these settings")
        return spec


async def _count(specs: Sequence[PoolSpec], env: Mapping[str, str]) -> tuple[list[Overview], list[str]]:
    """Count queues; returns how they stand, and the fault of each that can't be read.

    Raises QueueUnavailableError where none of them can.
    """
    async with compose.open_queues(specs, env) as queues:
        found = await _look_at_all(queues)
        overviews = [seen for seen in found if isinstance(seen, Overview)]
        errors = [(opened, seen) for opened, seen in zip(queues, found, strict=True) if not isinstance(seen, Overview)]
        if errors and not overviews:
            raise errors[0][1]
        return overviews, [opened.name_fault(error) for opened, error in errors]


async def _look_at_all(queues: Sequence[compose.OpenQueue]) -> list[Overview | QueueUnavailableError]:
    """Look at queues, at those of different servers at once: one that doesn't answer holds up no other."""
    servers: dict[str, list[compose.OpenQueue]] = {}
    for opened in queues:
        servers.setdefault(opened.server, []).append(opened)
    found = await asyncio.gather(*(_look_in_turn(together) for together in servers.values()))
    seen = {queue: overview for overviews in found for queue, overview in overviews.items()}
    return [seen[opened.spec.queue] for opened in queues]


async def _look_in_turn(queues: Sequence[compose.OpenQueue]) -> dict[str, Overview | QueueUnavailableError]:
    """Look at queues of one server. What is away for one is away for those after it: they would only take as long."""
    seen: dict[str, Overview | QueueUnavailableError] = {}
    away: QueueUnavailableError | None = None
    for opened in queues:
        looked = away or await _look(opened)
        if isinstance(looked, QueueUnavailableError) and compose.is_away(looked):
            away = looked
        seen[opened.spec.queue] = looked
    return seen


async def _look(opened: compose.OpenQueue) -> Overview | QueueUnavailableError:
    try:
        return Overview(await opened.control.depths(), await opened.usage())
    except QueueUnavailableError as error:
        return error


def _as_document(overview: Overview) -> dict[str, object]:
    depths = overview.depths
    return {
        "queue": depths.queue,
        "pending": depths.pending,
        "oldestSeconds": depths.oldest_seconds,
        "inflight": depths.inflight,
        "delayed": depths.delayed,
        "dead": depths.dead,
        "paused": depths.paused,
        "throttled": depths.throttled,
        "gateSeconds": depths.gate_ms / 1000,
        "groupsShut": depths.shut,
        "runners": depths.runners,
        "totals": dict(depths.totals),
        "limits": [
            {"window": use.window, "used": use.used, "limit": use.limit, "resetsAt": rfc3339(use.resets_at)}
            for use in overview.usage
        ],
    }


def _as_row(overview: Overview, now: int) -> tuple[str, ...]:
    depths = overview.depths
    numbers = (depths.inflight, depths.delayed, depths.dead, depths.runners)
    totals = (depths.totals.get("ack", 0), depths.totals.get("bury", 0))
    counts = (str(depths.pending), _oldest(depths), *(str(number) for number in (*numbers, *totals)))
    return (depths.queue, _state(depths), *counts, _limits(overview, now))


def _oldest(depths: Depths) -> str:
    """Write for how long the oldest job has waited; a question mark where it doesn't say."""
    if depths.pending == 0:
        return "-"
    return "?" if depths.oldest_seconds is None else length(depths.oldest_seconds)


def _state(depths: Depths) -> str:
    states = ["paused"] if depths.paused else []
    if depths.gate_ms > 0:
        states.append(f"closed, opens {distance(depths.gate_ms)}")
    if depths.throttled:
        states.append("throttled")
    states = states or ["open"]
    if depths.shut:
        who = "1 group waits" if depths.shut == 1 else f"{depths.shut} groups wait"
        states.append(f"{who} for a limit or a service")
    return ", ".join(states)


def _limits(overview: Overview, now: int) -> str:
    return ", ".join(f"{use.window} {use.used}/{use.limit}{_reset(use, now)}" for use in overview.usage)


def _reset(use: Usage, now: int) -> str:
    return f" (resets {distance(use.resets_at - now)})" if use.used and use.resets_at > now else ""


def set_paused(queue: str, pool: Path | None, *, paused: bool, as_json: bool) -> None:
    """Pause or resume a queue and say what changed. Raises what `compose.open_queues` raises."""
    env = pools.read_environment()

    async def change() -> bool:
        async with compose.open_queues(pools.look_up(queue, env, pool), env) as [opened]:
            return await opened.control.pause(paused=paused)

    changed = asyncio.run(change())
    if as_json:
        print_json({"queue": queue, "paused": paused, "changed": changed})
    elif paused:
        say(f"paused {queue}" if changed else f"{queue} was paused already")
    else:
        say(f"resumed {queue}" if changed else f"{queue} was not paused")


def show_schema(queue: str, pool: Path | None) -> None:
    """Print the JSON Schema of a queue's jobs. Raises SettingsError, UnknownQueueError."""
    env = pools.read_environment()
    spec = pools.find_spec(queue, env, pool)
    print_json(registry.schema(registry.find_module(spec.handlers)))
