"""Measures edworkers on this machine, beside BullMQ and a bare BLMOVE: `make bench`, or `python bench/run.py --help`.

All of it in one run, on one Redis that it starts itself, on loopback and without persistence:

throughput  no-op jobs a second through one process, with leases, validation, records and metrics; BullMQ in turn with
            it, round by round; Redis calls and time a job
latency     from push to start of one job while idle, beside a bare BLMOVE in Python
start       from the start of a runner's process to that of its first job
memory      of an idle runner of the queue `webhook`
webhooks    signed deliveries a second through one process, to a receiver in another
curves      the same jobs with much that waits, much that runs, and more runners
keeper      what one keeper costs with 1, 10 and 100 queues

Nothing else should run meanwhile: Redis, the runner and the one who measures share the processors. The results go to
bench/results/latest.json, and what was measured of throughput to summary.json. `--draw` draws them into docs/images.
"""

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import curves
import keeper
import latency
import redis
import report
import startup
import throughput
import webhook
from processes import HERE

from edworkers.standins.redis import RedisServer, serve

PARTS = ("throughput", "latency", "start", "memory", "webhooks", "curves", "keeper")
MAIN_SLOTS = 50


def main() -> None:
    """Measure what was asked for."""
    options = _options()
    contestants: tuple[throughput.Contestant, ...] = (throughput.edworkers,)
    if "throughput" in options.only and not options.alone:
        _install_bullmq()
        contestants += (throughput.bullmq,)
    with _redis() as server:
        client = redis.Redis.from_url(server.url)
        version: Any = client.info("server")
        results = {"machine": report.machine(version["redis_version"])}
        results |= Run(options, client, server.port, contestants).all()
    report.show(results)
    print(f"written to {report.write(results, MAIN_SLOTS)}")
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
    parser.add_argument("--alone", action="store_true", help="leave BullMQ out")
    parser.add_argument("--draw", action="store_true", help="draw what was measured into docs/images")
    return parser.parse_args()


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
    contestants: tuple[throughput.Contestant, ...]

    def all(self) -> dict[str, Any]:
        """Measure each part in turn."""
        results: dict[str, Any] = {}
        for part in PARTS:
            if part in self.options.only:
                print(f"  {part}", flush=True)
                results |= getattr(self, part)()
        return results

    def throughput(self) -> dict[str, Any]:
        """Measure no-op jobs a second."""
        runs: list[throughput.Run] = []
        for slots in self.options.slots:
            is_main = slots == MAIN_SLOTS or len(self.options.slots) == 1
            rounds, jobs = (self.options.rounds, self.options.jobs) if is_main else (1, self._fewer_jobs)
            who = self.contestants
            runs += throughput.measure(self.client, self.port, slots=slots, jobs=jobs, rounds=rounds, contestants=who)
        return {"throughput": report.throughput(runs)}

    @property
    def _fewer_jobs(self) -> int:
        return max(int(self.options.jobs) // 3, 1)

    def latency(self) -> dict[str, Any]:
        """Measure from push to start while idle."""
        return {"latency": report.latency(latency.measure(self.client, self.port, self.options.samples))}

    def start(self) -> dict[str, Any]:
        """Measure starts of a runner."""
        return {"start": report.starts(startup.measure(self.client, self.port, self.options.rounds))}

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


def _install_bullmq() -> None:
    """Make sure that Node and BullMQ are there; ends the program with what is missing."""
    system = HERE.parent / "scripts" / "system.py"
    if subprocess.run([sys.executable, str(system), "node", "npm"], check=False).returncode:
        sys.exit("BullMQ needs them; without it: bench/run.py --alone")
    quiet = ("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    subprocess.run(["npm", "install", *quiet], cwd=throughput.BULLMQ, check=True, stdin=subprocess.DEVNULL)


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
