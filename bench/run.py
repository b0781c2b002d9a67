"""Measures edworkers on this machine, beside other job systems: `make bench`, or `python bench/run.py --help`.

All of it in one run, on one Redis that it starts itself, on loopback and without persistence:

throughput  no-op jobs a second through one process, with leases, validation, records and metrics; the others in turn
            with it, round by round; Redis calls and time a job
enqueue     jobs a second that one process pushes, one by one and by bulk; beside the others
pace        from push to start, nearly idle and at half of what each can do (which `throughput` tells)
distance    the same jobs, with Redis a millisecond away
io          jobs that wait 10 ms for something, in 100 slots
latency     from push to start of one job while idle, beside a bare BLMOVE in Python
start       from the start of a runner's process to that of its first job; for each of the others too, and what memory
            they hold when idle
memory      of an idle runner of the queue `webhook`
webhooks    signed deliveries a second through one process, to a receiver in another
curves      the same jobs with much that waits, much that runs, and more runners
keeper      what one keeper costs with 1, 10 and 100 queues

Nothing else should run meanwhile: Redis, the runner and the one who measures share the processors. The results go to
bench/results/latest.json, and what was measured of throughput to summary.json. `--draw` writes them as pictures and
tables into docs/images and docs/reference/benchmark.md.
"""

import argparse
import asyncio
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import contestants
import curves
import enqueue
import idle
import keeper
import latency
import pace
import redis
import report
import slow_redis
import startup
import throughput
import webhook
from processes import HERE

from edworkers.standins.redis import RedisServer, serve

BESIDE = ("throughput", "enqueue", "pace", "distance", "io", "start")
"""The parts that measure others too."""
PARTS = (*BESIDE[:-1], "latency", "start", "memory", "webhooks", "curves", "keeper")
MAIN_SLOTS = 50
IO_SLOTS = 100
IO_MS = 10


def _end(_number: int, _frame: object) -> None:
    """End as by Ctrl-C, so that all that was started is stopped."""
    raise KeyboardInterrupt


def main() -> None:
    """Measure what was asked for."""
    options = _options()
    signal.signal(signal.SIGTERM, _end)
    names = tuple(options.peers) if not options.alone and set(BESIDE) & set(options.only) else ()
    versions = contestants.install(names)
    with _redis() as server:
        client = redis.Redis.from_url(server.url)
        version: Any = client.info("server")
        machine = {"machine": report.machine(version["redis_version"], versions)}
        results = Run(options, client, server.port, names, machine).all()
    report.show(results)
    print(f"written to {report.RESULTS}")
    if options.draw:
        _draw()


def _draw() -> None:
    """Draw with Matplotlib, which has an environment of its own; ends the program where that can't be made."""
    top, folder = HERE.parent, HERE.parent / ".venv-plots"
    making = [sys.executable, str(top / "scripts" / "side_environment.py"), "requirements/plots.txt", str(folder)]
    if subprocess.run(making, cwd=top, check=False).returncode:
        sys.exit("nothing was drawn")
    words = (str(HERE / "plots.py"), str(report.RESULTS), str(top / "docs" / "images"))
    subprocess.run((str(folder / "bin" / "python"), *words), check=True)
    page = top / "docs" / "reference" / "benchmark.md"
    subprocess.run((sys.executable, str(HERE / "tables.py"), str(report.RESULTS), str(page)), check=True)


def _options() -> argparse.Namespace:
    lines = (__doc__ or "").strip()
    parser = argparse.ArgumentParser(description=lines, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=_count, default=3, help=f"rounds at {MAIN_SLOTS} slots, and starts")
    parser.add_argument("--jobs", type=_count, default=30_000, help=f"jobs a round at {MAIN_SLOTS} slots")
    parser.add_argument(
        "--slots", type=_count, nargs="+", default=[MAIN_SLOTS, 1, 10, 250], metavar="N", help="jobs at once"
    )
    parser.add_argument("--samples", type=_count, default=300, help="jobs pushed while idle; at least 2")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    beside = contestants.NAMES
    parser.add_argument(
        "--peers", nargs="+", choices=beside, default=beside, metavar="NAME", help=f"beside it: {', '.join(beside)}"
    )
    parser.add_argument("--alone", action="store_true", help="leave all others out")
    parser.add_argument("--draw", action="store_true", help="write what was measured into docs/")
    options = parser.parse_args()
    _check(parser, options)
    return options


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End the program where these options make no run; leave out what they make impossible."""
    if options.samples < 2:
        parser.error("--samples: 2 at least, or there is no 99th of 100")
    options.peers = list(dict.fromkeys(options.peers))
    whole = (PARTS, contestants.NAMES, False)
    if options.draw and (tuple(options.only), tuple(options.peers), options.alone) != whole:
        parser.error(
            "--draw writes the whole page anew: measure all parts and systems, without --only, --peers and --alone"
        )
    if "pace" in options.only and not ("throughput" in options.only and MAIN_SLOTS in options.slots):
        if options.only is not PARTS:
            parser.error(f"pace goes by what throughput tells of {MAIN_SLOTS} slots: add it to --only, and to --slots")
        options.only = tuple(part for part in PARTS if part != "pace")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of everything that was asked for: a method for each part, which gives its results by title."""

    options: argparse.Namespace
    client: "redis.Redis"
    port: int
    beside: tuple[str, ...]
    """The names of the others."""
    results: dict[str, Any]
    """What was measured by now, by title."""

    def all(self) -> dict[str, Any]:
        """Measure each part in turn, and write down what was measured by then, should a later one fail."""
        for part in PARTS:
            if part in self.options.only:
                print(f"  {part}", flush=True)
                self.results.update(getattr(self, part)())
                report.write(self.results, MAIN_SLOTS)
        return self.results

    def throughput(self) -> dict[str, Any]:
        """Measure no-op jobs a second."""
        runs: list[throughput.Run] = []
        for slots in self.options.slots:
            is_main = slots == MAIN_SLOTS or len(self.options.slots) == 1
            rounds, jobs = (self.options.rounds, self.options.jobs) if is_main else (1, self._fewer_jobs)
            who = contestants.choose(self.beside)
            runs += throughput.measure(self.client, self.port, slots=slots, jobs=jobs, rounds=rounds, contestants=who)
        return {"throughput": report.throughput(runs)}

    @property
    def _fewer_jobs(self) -> int:
        return max(int(self.options.jobs) // 3, 1)

    def enqueue(self) -> dict[str, Any]:
        """Measure the producers."""
        return {"enqueue": report.enqueue(enqueue.measure(self.client, self.port, self.beside, self.options.rounds))}

    def pace(self) -> dict[str, Any]:
        """Measure from push to start of jobs that come steadily."""
        rates = report.rates(self.results, MAIN_SLOTS)
        return {"pace": report.pace(pace.measure(self.client, self.port, rates))}

    def distance(self) -> dict[str, Any]:
        """Measure no-op jobs with a Redis that is a millisecond away."""
        with slow_redis.slow_redis(self.port, 1) as port:
            return {
                "distance": self._once(port, MAIN_SLOTS),
                "distance_of": {"ping_ms": round(slow_redis.away_ms(port), 2)},
            }

    def io(self) -> dict[str, Any]:
        """Measure jobs that wait for something."""
        return {"io": self._once(self.port, IO_SLOTS, IO_MS)}

    def _once(self, port: int, slots: int, work_ms: int = 0) -> list[dict[str, Any]]:
        """Measure one round of everybody."""
        who = contestants.choose(self.beside)
        jobs = self._fewer_jobs
        runs = throughput.measure(self.client, port, slots=slots, jobs=jobs, rounds=1, contestants=who, work_ms=work_ms)
        return report.throughput(runs)

    def latency(self) -> dict[str, Any]:
        """Measure from push to start while idle."""
        return {"latency": report.latency(latency.measure(self.client, self.port, self.options.samples))}

    def start(self) -> dict[str, Any]:
        """Measure starts of a runner."""
        alone = report.starts(startup.measure(self.client, self.port, self.options.rounds))
        return {
            "start": alone,
            "starts": report.idle(idle.measure(self.client, self.port, self.beside, self.options.rounds)),
        }

    def memory(self) -> dict[str, Any]:
        """Measure the memory of an idle runner."""
        measured = startup.measure_memory(self.client, self.port)
        return {"memory": {f"{name}_mib": round(size, 1) for name, size in measured.items()}}

    def webhooks(self) -> dict[str, Any]:
        """Measure signed deliveries."""
        runs = [webhook.measure(self.client, self.port, self._fewer_jobs) for _ in range(self.options.rounds)]
        return {"webhooks": report.webhooks(runs)}

    def curves(self) -> dict[str, Any]:
        """Measure whether costs grow with a list."""
        return dict(curves.Bench(self.port, self._fewer_jobs, self.options.samples).all())

    def keeper(self) -> dict[str, Any]:
        """Measure one keeper."""
        return {"keeper": [keeper.measure(self.port, count) for count in keeper.QUEUES]}


@contextmanager
def _redis() -> Generator[RedisServer]:
    """Serve Redis for the synchronous code of the block."""
    with asyncio.Runner() as runner:
        serving = serve()
        server = runner.run(serving.__aenter__())
        try:
            yield server
        finally:
            runner.run(serving.__aexit__(None, None, None))


if __name__ == "__main__":
    main()
