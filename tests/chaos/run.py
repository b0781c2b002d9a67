"""A chaos run from beginning to verdict: `python -m tests.chaos.run --jobs 20000 --kills 200`.

It has two parts, each with half of the jobs and of the kills: first a queue with groups, then a plain one.
Runners, keepers and producers work while processes, connections and Redis are hurt. When every job has come to its end,
what Redis logged and what the handlers told is held against the rules.
"""

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.chaos import redis_log
from tests.chaos.conductor import Chaos, Options, StalledError
from tests.chaos.history import Reader
from tests.chaos.promise import Run
from tests.chaos.proxy import Proxy
from tests.chaos.report import Outcome, write_report
from tests.chaos.rules import check

from edworkers.standins import redis as redis_standin

_MARK = "<!-- figures of the last long run -->"


def _ledger(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.ledger")):
        yield from path.read_text().splitlines()


def _read(chaos: Chaos) -> Run:
    reader = Reader(round(chaos.options.lease_seconds * 1000))
    reader.read_log(redis_log.read_log(chaos.server.folder))
    reader.read_ledger(_ledger(chaos.folder))
    return Run(
        history=reader.history,
        planned=chaos.producer.pushed,
        pushes=chaos.producer.pushes,
        bounds=chaos.options.bounds,
        leftovers=chaos.leftovers,
    )


@asynccontextmanager
async def _open(options: Options, folder: Path) -> AsyncGenerator[Chaos]:
    data = folder / "redis"
    data.mkdir(parents=True)
    async with redis_standin.serve(folder=data, options=redis_log.OPTIONS) as server:
        proxy = Proxy(server.port)
        chaos = Chaos(options, folder, server, proxy, await proxy.open())
        try:
            yield chaos
        finally:
            await chaos.close()
            await proxy.close()


async def run(options: Options, folder: Path) -> Outcome:
    """Do one part in an empty folder, or one that isn't there yet, where its history stays."""
    began = time.monotonic()
    stalled = ""
    async with _open(options, folder) as chaos:
        try:
            await chaos.run()
        except* StalledError as errors:
            stalled = "\n".join(map(str, errors.exceptions))
    judged = _read(chaos)
    return Outcome(
        run=judged,
        violations=check(judged),
        stalled=stalled,
        surprises=chaos.crew.surprises,
        fair=options.fair,
        seed=options.seed,
        lease_seconds=options.lease_seconds,
        seconds=time.monotonic() - began,
        processes=chaos.crew.started,
        ends=chaos.crew.ends,
        clocks=chaos.crew.wrong_clocks,
        stops=chaos.crew.stops,
        faults=chaos.faults.done,
        hurt_at_work=chaos.faults.hurt_at_work,
        cuts={str(cut): times for cut, times in chaos.proxy.cuts.items()},
        repeats=chaos.producer.repeats,
        cancellations=chaos.producer.answers,
        folder=folder,
    )


def parts_of(jobs: int, kills: int, seed: int, only: str | None = None) -> list[Options]:
    """Halve a run between the two kinds of queues, or give all of it to `only` one: `fair` or `plain`."""
    if only is not None:
        return [Options(jobs, kills, seed, fair=only == "fair")]
    fair = Options(jobs - jobs // 2, kills - kills // 2, seed, fair=True)
    return [fair, Options(jobs // 2, kills // 2, seed, fair=False)]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kill, freeze and cut at random, and check the history.")
    parser.add_argument("--jobs", type=int, default=20_000, help="in both parts together")
    parser.add_argument("--kills", type=int, default=200, help="in both parts together")
    parser.add_argument("--only", choices=("fair", "plain"), help="one part alone, with all of the jobs and kills")
    parser.add_argument("--seed", type=int, default=None, help="repeats the jobs and the faults of a run")
    parser.add_argument("--write", type=Path, help="a document whose figures, from their mark on, are to be these")
    parser.add_argument("--keep", action="store_true", help="keep the history of a run that went well, too")
    return parser.parse_args()


def _run_parts(parts: Sequence[Options], folder: Path) -> Iterator[Outcome]:
    for options in parts:
        name = "fair" if options.fair else "plain"
        sys.stderr.write(f"{options.jobs} jobs and {options.kills} kills, {name}\n")
        yield asyncio.run(run(options, folder / name))


def main() -> None:
    """Run from the command line; ends with 1 if a promise was broken in any part."""
    given = _parse()
    seed = secrets.randbelow(10**6) if given.seed is None else given.seed
    folder = Path(tempfile.mkdtemp(prefix="edworkers-chaos-"))
    sys.stderr.write(f"chaos run with seed {seed}, its history is in {folder}\n")
    outcomes = list(_run_parts(parts_of(given.jobs, given.kills, seed, given.only), folder))
    report = write_report(outcomes)
    sys.stdout.write(report)
    if given.write is not None:
        text = given.write.read_text().partition(_MARK)[0]
        given.write.write_text(f"{text}{_MARK}\n\n{report}")
    is_clean = all(outcome.is_clean for outcome in outcomes)
    if is_clean and not given.keep:
        shutil.rmtree(folder)
    sys.exit(0 if is_clean else 1)


if __name__ == "__main__":
    main()
