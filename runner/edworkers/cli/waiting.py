"""Waiting for the end of a job, with its state and progress shown on a terminal."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

from edworkers.cli.show import safe
from edworkers.ports import JobRecord

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0

Find = Callable[[], Awaitable[JobRecord | None]]
Show = Callable[[JobRecord], None]


async def wait_for_end(find: Find, seconds: float | None, show: Show) -> JobRecord | None:
    """Wait until a job has ended, for `seconds` at most; returns its latest record.

    A job that was pushed by LPUSH has no record before a runner meets it, so one that is unknown is waited for too;
    one whose record goes is not. Raises QueueUnavailableError.
    """
    loop = asyncio.get_running_loop()
    deadline = None if seconds is None else loop.time() + seconds
    pause, known = _FIRST_PAUSE_SECONDS, False
    while True:
        record = await find()
        if record is not None:
            show(record)
        if record.state.is_final if record is not None else known:
            return record
        known = record is not None
        left = _LONGEST_PAUSE_SECONDS if deadline is None else deadline - loop.time()
        if left <= 0:
            return record
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)


@contextmanager
def progress_of(job_id: str, *, quiet: bool) -> Generator[Show]:
    """Show how a job gets on while the block lasts, if stderr is a terminal and `quiet` is not asked for."""
    if quiet or not sys.stderr.isatty():
        yield lambda _record: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        bar = progress.add_task(f"{job_id}: no record yet", total=None)

        def show(record: JobRecord) -> None:
            told = record.progress or {}
            words = [f"{record.id}: {record.state}", f"attempt {record.attempts}" if record.attempts else ""]
            words.append(safe(str(told.get("note", ""))))
            fraction = told.get("fraction")
            progress.update(
                bar,
                description=", ".join(word for word in words if word),
                total=None if fraction is None else 1.0,
                completed=fraction or 0.0,
            )

        yield show


@contextmanager
def counting(what: str, total: int | None, *, quiet: bool) -> Generator[Callable[[int], None]]:
    """Show a bar that the yielded function moves on, if stderr is a terminal and `quiet` is not asked for."""
    if quiet or not sys.stderr.isatty():
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda count: progress.advance(bar, count)
