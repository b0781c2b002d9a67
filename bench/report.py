"""What was measured, as tables for people and as JSON."""

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from contestants import NAMES
from enqueue import Pushed
from idle import Idle
from pace import Paced
from processes import HERE
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from startup import Start
from throughput import Run
from webhook import Deliveries

RESULTS = HERE / "results" / "latest.json"
SUMMARY = HERE / "results" / "summary.json"
_LEAST_WIDTH = 100
_Measured = TypeVar("_Measured", Pushed, Idle)


def machine(redis_version: str, peers: Mapping[str, str]) -> dict[str, Any]:
    """Tell what it was measured on, and the versions of what is beside edworkers."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "redis": redis_version,
        **peers,
    }


def throughput(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Sum up the runs of each system at each number of slots, by medians.

    The ratio is that of edworkers' rate to this one's of the same round, so that what else the machine did then counts
    for both.
    """
    groups: dict[tuple[int, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.slots, run.system), []).append(run)
    return [_sum_up(mine, groups.get((slots, "edworkers"), [])) for (slots, _), mine in groups.items()]


def _sum_up(mine: Sequence[Run], ours: Sequence[Run]) -> dict[str, Any]:
    usages = [asdict(run.usage) for run in mine]
    rates = [round(run.rate) for run in mine]
    row: dict[str, Any] = {"system": mine[0].system, "slots": mine[0].slots, "jobs": mine[0].jobs}
    row |= {"jobs/s": round(statistics.median(rates)), "rates": rates}
    if ours:
        ratios = [our.rate / my.rate for our, my in zip(ours, mine, strict=True)]
        row["ratio"] = round(statistics.median(ratios), 2)
    medians = {name: statistics.median(usage[name] for usage in usages) for name in usages[0]}
    told = {name: round(value, 3 if name == "calls" else 1) for name, value in medians.items()}
    return row | (told if mine[0].knows_calls else {name: told[name] for name in ("redis_cpu_us", "process_cpu_us")})


def webhooks(runs: Sequence[Deliveries]) -> dict[str, Any]:
    """Sum up the runs of the queue `webhook`, by medians."""
    rates = [round(run.rate) for run in runs]
    return {
        "slots": runs[0].slots,
        "jobs": runs[0].jobs,
        "deliveries/s": round(statistics.median(rates)),
        "rates": rates,
        "connections": max(run.connections for run in runs),
        "process_cpu_us": round(statistics.median(run.usage.process_cpu_us for run in runs)),
        "redis_us": round(statistics.median(run.usage.redis_us for run in runs)),
    }


def latency(took: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Sum up how long it took from push to start, in microseconds."""
    rows: list[dict[str, Any]] = []
    for system, samples in took.items():
        cuts = statistics.quantiles(samples, n=100, method="inclusive")
        rows.append({"system": system, "samples": len(samples), "p50_us": round(cuts[49]), "p99_us": round(cuts[98])})
    return rows


def starts(measured: Sequence[Start]) -> dict[str, Any]:
    """Sum up the starts: medians in milliseconds."""
    names = ("to_first_job", "python_alone", "cpu")
    return {
        "starts": len(measured),
        **{f"{name}_ms": round(statistics.median(getattr(start, name) for start in measured), 1) for name in names},
    }


def pace(found: Sequence[tuple[Paced, Paced]]) -> list[dict[str, Any]]:
    """Tell of each system how long jobs took from push to start, nearly idle and at half of what it can do."""
    return [
        {
            "system": idle.system,
            "idle_p50_us": round(idle.p50),
            "idle_p99_us": round(idle.p99),
            "half_asked/s": round(half.asked),
            "half_pushed/s": round(half.pushed),
            "half_p50_us": round(half.p50),
            "half_p99_us": round(half.p99),
        }
        for idle, half in found
    ]


def enqueue(pushed: Sequence[Pushed]) -> list[dict[str, Any]]:
    """Sum up jobs a second of each producer, by medians."""
    rows: list[dict[str, Any]] = []
    for system, mine in _by_system(pushed).items():
        bulks = [one.bulk for one in mine if one.bulk is not None]
        row = {"system": system, "single/s": round(statistics.median(one.single for one in mine))}
        rows.append(row | ({"bulk/s": round(statistics.median(bulks))} if bulks else {}))
    return rows


def idle(found: Sequence[Idle]) -> list[dict[str, Any]]:
    """Sum up the starts of each system's worker, by medians."""
    return [
        {
            "system": system,
            "to_first_job_s": round(statistics.median(one.seconds for one in mine), 2),
            "idle_mib": round(statistics.median(one.mib for one in mine), 1),
        }
        for system, mine in _by_system(found).items()
    ]


def _by_system(measured: Sequence[_Measured]) -> dict[str, list[_Measured]]:
    groups: dict[str, list[_Measured]] = {}
    for one in measured:
        groups.setdefault(one.system, []).append(one)
    return groups


def show(results: dict[str, Any]) -> None:
    """Print what was measured: a table for each list of rows, and a line for each other fact."""
    console = Console(highlight=False)
    console.width = max(console.width, _LEAST_WIDTH)
    for title, value in results.items():
        console.print(f"\n[bold]{title}[/bold]")
        if isinstance(value, list):
            console.print(_table(value))
        else:
            for name, fact in value.items():
                console.print(f"  {name.replace('_', ' ')}: {_text(fact)}")


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    names = [name for name, value in rows[0].items() if not isinstance(value, list)]
    for name in names:
        table.add_column(name.replace("_", " "), justify="left" if name == "system" else "right")
    for row in rows:
        table.add_row(*(_text(row.get(name, "")) for name in names))
    return table


def _text(value: object) -> str:
    if isinstance(value, list):
        return " ".join(_text(item) for item in value)
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def rates(results: dict[str, Any], slots: int) -> dict[str, int]:
    """Give of each system, by its name in small letters, how many jobs a second it did with so many slots."""
    return {row["system"].lower(): row["jobs/s"] for row in results.get("throughput", []) if row["slots"] == slots}


def write(results: dict[str, Any], main_slots: int) -> None:
    """Write everything as JSON, and jobs a second with so many slots as a summary, if all systems were measured."""
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    told = rates(results, main_slots)
    if set(told) == {"edworkers", *NAMES}:
        summary = {"machine": results["machine"], "slots": main_slots, "throughput": told}
        SUMMARY.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
