"""Measures edworkers on this machine, beside BullMQ and a bare BLMOVE: `make bench`, or `python bench/run.py --help`.

All of it in one run, on one Redis that it starts itself, on loopback and without persistence:

throughput  no-op jobs a second through one process, with leases, validation, records and metrics; BullMQ in turn with
            it, round by round; Redis calls and time a job
latency     from push to start of one job while idle, beside a bare BLMOVE in Python
start       from the start of a runner's process to that of its first job
memory      of an idle runner of the queue `webhook`
webhooks    signed deliveries a second through one process, to a receiver in another

Nothing else should run meanwhile: Redis, the runner and the one who measures share the processors. The results go to
bench/results/latest.json.
"""

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import latency
import redis
import report
import startup
import throughput
import webhook
from processes import HERE

from edworkers.standins.redis import RedisServer, serve

PARTS = ("throughput", "latency", "start", "memory", "webhooks")
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
        results |= _measure(options, client, server.port, contestants)
    report.show(results)
    print(f"written to {report.write(results)}")


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
    return parser.parse_args()


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _measure(
    options: argparse.Namespace, client: "redis.Redis", port: int, contestants: tuple[throughput.Contestant, ...]
) -> dict[str, Any]:
    results: dict[str, Any] = {}
    if "throughput" in options.only:
        runs: list[throughput.Run] = []
        for slots in options.slots:
            is_main = slots == MAIN_SLOTS or len(options.slots) == 1
            rounds, jobs = (options.rounds, options.jobs) if is_main else (1, max(options.jobs // 3, 1))
            runs += throughput.measure(client, port, slots=slots, jobs=jobs, rounds=rounds, contestants=contestants)
        results["throughput"] = report.throughput(runs)
    if "latency" in options.only:
        print("  latency while idle", flush=True)
        results["latency"] = report.latency(latency.measure(client, port, options.samples))
    if "start" in options.only:
        print("  starts", flush=True)
        results["start"] = report.starts(startup.measure(client, port, options.rounds))
    if "memory" in options.only:
        print("  memory while idle", flush=True)
        measured = startup.measure_memory(client, port)
        results["memory"] = {f"{name}_mib": round(size, 1) for name, size in measured.items()}
    return results | _measure_webhooks(options, client, port)


def _measure_webhooks(options: argparse.Namespace, client: "redis.Redis", port: int) -> dict[str, Any]:
    if "webhooks" not in options.only:
        return {}
    print("  webhooks", flush=True)
    jobs = max(options.jobs // 3, 1)
    return {"webhooks": report.webhooks([webhook.measure(client, port, jobs) for _ in range(options.rounds)])}


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
