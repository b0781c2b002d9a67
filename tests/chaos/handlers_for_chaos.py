"""The work of a chaos run: each piece says what it does in a ledger outside of Redis.

The ledger is one file a process, to which each line is appended by one system call: what a killed process had written
stays. A line is `<what> <queue> <number> <id> <receipt> <attempt> <nanoseconds>`; the time is that of the machine's
steady clock, which is the same in every process, and right where the time of day is wrong.

CHAOS_CLOCK_OFFSET makes the time of day wrong by so many seconds, for this process alone.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from edworkers.core.outcome import Done, FollowUp
from edworkers.core.settings import PoolSpec
from edworkers.handlers.data import JobData
from edworkers.ports import Handle, Handler, HandlerModule, JobContext

NEXT_QUEUE = "next"


class Work(JobData):
    nr: int
    do: Literal["succeed", "fail", "follow", "block", "progress", "kill"] = "succeed"
    seconds: float = 0
    times: int = 0
    """How many attempts fail before one succeeds."""
    pad: str = ""


def set_clock_wrong(seconds: float) -> None:
    """Make this process' time of day wrong."""
    right, right_ns = time.time, time.time_ns
    time.time = lambda: right() + seconds
    time.time_ns = lambda: right_ns() + round(seconds * 1e9)


class Ledger:
    """What this process did, told where no fault can reach it."""

    def __init__(self, folder: str) -> None:
        path = Path(folder) / f"{os.getpid()}.ledger"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def tell(self, what: str, work: Work, job: JobContext) -> None:
        words = (what, job.queue, work.nr, job.id, job.receipt, job.attempt, time.monotonic_ns())
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())

    def close(self) -> None:
        os.close(self._file)


async def _do(work: Work, job: JobContext) -> Any:
    match work.do:
        case "fail" if job.attempt <= work.times:
            raise RuntimeError(f"receipt={job.receipt} attempt {job.attempt} fails, as asked")
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "block":
            time.sleep(work.seconds)  # noqa: ASYNC251 - this is what it is for
        case "progress":
            for part in range(4):
                await job.progress(part / 4, job.receipt)
                await asyncio.sleep(work.seconds / 4)
        case _:
            await asyncio.sleep(work.seconds)
    result = {"nr": work.nr, "square": work.nr**2, "pad": len(work.pad), "receipt": job.receipt}
    return Done(result, (FollowUp(NEXT_QUEUE, {"nr": work.nr}),) if work.do == "follow" else ())


@asynccontextmanager
async def _open(env: Mapping[str, str]) -> AsyncIterator[Handle]:
    ledger = Ledger(env["CHAOS_LEDGER"])

    async def handle(work: Work, job: JobContext) -> Any:
        ledger.tell("begin", work, job)
        try:
            outcome = await _do(work, job)
        except asyncio.CancelledError:
            ledger.tell("cancelled", work, job)
            raise
        except Exception:
            ledger.tell("failed", work, job)
            raise
        ledger.tell("end", work, job)
        return outcome

    try:
        yield handle
    finally:
        ledger.close()


if offset := os.environ.get("CHAOS_CLOCK_OFFSET"):
    set_clock_wrong(float(offset))

MODULE = HandlerModule(
    pool=PoolSpec(queue="work", handlers="handlers_for_chaos"),
    handlers=(
        Handler(data=Work, open=_open),
        Handler(data=Work, open=_open, type="isolated", isolation="process"),
    ),
)
