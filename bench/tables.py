"""Writes what was measured as a page for people: docs/reference/benchmark.md.

    python bench/tables.py RESULTS PAGE

RESULTS is what bench/run.py has written; what it hasn't measured has no table. Systems stand in the order of what
counts first in their table, the best on top.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], str]]
"""A heading, and what stands under it."""

_HEAD = """\
# One run of the benchmark

<!-- Written by `python bench/run.py --draw`: change bench/tables.py, or measure anew. -->

What `make bench` measured on {time}:

- machine: {cores} cores, {cpu}, {system}
- Python {python}, Redis {redis}
- beside it: {versions}

[How fast it is](../benchmarks.md) says what is measured how, and what follows from it. How each system is set stands at
the head of its file in `bench/peers`, and of BullMQ in `bench/bullmq/worker.js`. Rates are medians of the rounds; a
ratio is that of edworkers' rate to the other's of the same round. A cell is empty where a system can't do that, or
doesn't tell.
"""
_MACHINE = frozenset({"time", "cpu", "cores", "load_before", "system", "python", "redis"})
_NAMES = {"bullmq": "BullMQ", "rq": "RQ", "saq": "SAQ"} | {
    name: name.capitalize() for name in ("celery", "dramatiq", "taskiq")
}


@dataclass(frozen=True, slots=True)
class Section:
    """A part of what is measured."""

    part: str
    """Its name in the results."""
    title: str
    columns: tuple[Column, ...]
    best: str = ""
    """By what its rows are put in order; as they come without."""
    least: bool = False
    """Whether the least is the best."""
    picture: str = ""

    def text(self, rows: Sequence[Row]) -> str:
        """Give it for what a run has measured; nothing where the run hasn't measured it."""
        if not rows:
            return ""
        if self.best:
            rows = sorted(rows, key=lambda row: row[self.best], reverse=not self.least)
        return f"\n## {self.title}\n\n{self._drawn()}{_table(rows, self.columns)}"

    def _drawn(self) -> str:
        if not self.picture:
            return ""
        dark = f'<source media="(prefers-color-scheme: dark)" srcset="../images/{self.picture}-dark.svg">'
        light = f'<img alt="{self.title}: what the table says" src="../images/{self.picture}-light.svg">'
        return f"<picture>{dark}\n{light}</picture>\n\n"


def markdown(results: Mapping[str, Any]) -> str:
    """Give the page for what a run has measured."""
    found = {part: rows if isinstance(rows, list) else [rows] for part, rows in results.items()}
    found["distance"] = [{**row, **results["distance_of"]} for row in found.get("distance", ())]
    rest = (section.text(found.get(section.part, ())) for section in SECTIONS)
    return "".join((_head(results["machine"]), _throughput(found.get("throughput", ())), *rest))


def _head(machine: Row) -> str:
    others = {name: version for name, version in machine.items() if name not in _MACHINE}
    versions = ", ".join(f"{_NAMES.get(name, name)} {version}" for name, version in others.items())
    return _HEAD.format(**{**machine, "time": machine["time"][:10]}, versions=versions or "nothing")


def _throughput(rows: Sequence[Row]) -> str:
    """Give the section whose results have a row for each system and number of slots: one row for each system."""
    rates = {(row["system"], row["slots"]): f"{row['jobs/s']:,}" for row in rows}

    def column(slots: int) -> Column:
        return f"jobs/s: {slots} slot{'s' * (slots > 1)}", lambda row: rates.get((row["system"], slots), "")

    columns = (_system, *(column(slots) for slots in sorted({slots for _, slots in rates})), *_costs)
    mains = [row for row in rows if row["slots"] == rows[0]["slots"]]
    title = f"No-op jobs of one process, and what they cost at {mains[0]['slots']} slots" if mains else ""
    return Section("throughput", title, columns, "jobs/s", picture="bench-throughput").text(mains)


def _table(rows: Iterable[Row], columns: Sequence[Column]) -> str:
    lines = [[heading for heading, _ in columns], ["---"] * len(columns)]
    lines += [[tell(row) for _, tell in columns] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _count(heading: str, name: str) -> Column:
    return heading, lambda row: f"{row[name]:,.0f}" if name in row else ""


def _decimals(heading: str, name: str, digits: int, unit: float = 1) -> Column:
    return heading, lambda row: f"{row[name] / unit:,.{digits}f}" if name in row else ""


def _ms(heading: str, name: str) -> Column:
    return _decimals(heading, name, 1, 1000)


def _bold(row: Row) -> str:
    return f"**{row['system']}**" if row["system"] == "edworkers" else row["system"]


def _curve(part: str, title: str, heading: str, name: str) -> Section:
    calls, used = _decimals("Redis calls a job", "calls", 3), _count("µs in Redis a job", "redis_us")
    columns = (_count(heading, name), _rate, calls, used)
    return Section(part, title, columns, picture=f"bench-{name.replace('_', '-')}")


_system: Column = ("", _bold)
_rate = _count("jobs/s", "jobs/s")
_ratio: Column = ("edworkers' rate to it", lambda row: "" if row["system"] == "edworkers" else f"{row['ratio']:.1f}")
_costs = (
    _ratio,
    _decimals("Redis calls a job", "calls", 2),
    # So many µs a job are so many thousandths of a second for a thousand of them.
    _decimals("processor seconds a 1,000 jobs: worker", "process_cpu_us", 3, 1000),
    _decimals("Redis", "redis_cpu_us", 3, 1000),
)
_pushed = (_count("one by one, jobs/s", "single/s"), _count("by bulk", "bulk/s"))
_paced = (
    _ms("idle, p50 ms", "idle_p50_us"),
    _ms("p99", "idle_p99_us"),
    _count("half load, jobs/s", "half_pushed/s"),
    _ms("p50 ms", "half_p50_us"),
    _ms("p99", "half_p99_us"),
)
_waits = (_ms("p50 ms", "p50_us"), _ms("p99", "p99_us"))
_starts = (_decimals("start to first job, s", "to_first_job_s", 2), _count("memory when idle, MiB", "idle_mib"))
_delivered = (
    _count("deliveries/s", "deliveries/s"),
    _count("connections", "connections"),
    _count("µs a delivery: runner", "process_cpu_us"),
    _count("Redis", "redis_us"),
)
_kept = (
    _count("queues", "queues"),
    _decimals("% of a core: keeper", "cpu_percent", 2),
    _decimals("Redis", "redis_cpu_percent", 2),
    _count("calls/s", "calls/s"),
    _count("memory, MiB", "memory_mib"),
    _count("delayed jobs due at once", "jobs_due"),
    _decimals("all back after, s", "put_back_within_s", 2),
)
_started = (
    _count("start to first job, ms", "to_first_job_ms"),
    _count("of it Python alone", "python_alone_ms"),
    _count("processor time until then, ms", "cpu_ms"),
)
_held = (_decimals("resident, MiB", "rss_mib", 1), _decimals("its alone", "uss_mib", 1))

SECTIONS = (
    Section("enqueue", "Enqueueing, by one process", (_system, *_pushed), "single/s"),
    Section("pace", "From push to start", (_system, *_paced), "idle_p99_us", least=True, picture="bench-pace"),
    Section(
        "distance",
        "Redis a millisecond away, 50 slots",
        (_system, _rate, _ratio, _decimals("a PING takes, ms", "ping_ms", 1)),
        "jobs/s",
        picture="bench-distance",
    ),
    Section("io", "Jobs that wait for 10 ms, 100 slots", (_system, _rate, _ratio), "jobs/s", picture="bench-io"),
    Section("latency", "From push to start while idle, beside a bare BLMOVE in Python", (_system, *_waits)),
    Section("starts", "Starts, and memory", (_system, *_starts), "to_first_job_s", least=True),
    Section("start", "A runner's start", _started),
    Section("memory", "An idle runner of the queue `webhook`", _held),
    Section("webhooks", "Signed webhooks, 50 slots, 100 addresses", _delivered),
    _curve("beside waiting jobs", "Beside waiting jobs", "jobs waiting", "pending"),
    _curve("beside running jobs", "Beside running jobs", "jobs in other hands", "in_flight"),
    _curve("runners", "Several runners on the same cores", "runners of 50 slots", "processes"),
    Section("urgent jobs", "An urgent job, from push to start", (_count("jobs waiting", "pending"), *_waits)),
    Section("keeper", "One keeper", _kept),
)
"""All but `throughput`, in their order on the page."""


if __name__ == "__main__":
    _results, _page = (Path(word) for word in sys.argv[1:3])
    _page.write_text(markdown(json.loads(_results.read_text(encoding="utf-8"))), encoding="utf-8")
