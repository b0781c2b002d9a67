"""`edworkers enqueue`: from JSON that someone typed or piped to jobs on their queue."""

import asyncio
import io
import os
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from edworkers import compose, pools
from edworkers.cli.exits import ExitCode
from edworkers.cli.jobs import tell_result, unknown
from edworkers.cli.lines import check_lines
from edworkers.cli.payload import Maker
from edworkers.cli.show import note, print_json, rfc3339, say
from edworkers.cli.waiting import counting, progress_of, wait_for_end
from edworkers.core.errors import InvalidJobError, QueueUnavailableError, SettingsError, UnknownJobError
from edworkers.core.settings import MAX_PAYLOAD_BYTES, PoolSpec
from edworkers.handlers.registry import find_module
from edworkers.pipeline.traced import enqueue_traced
from edworkers.ports import Enqueue, JobRecord


@contextmanager
def open_data(data: str | None) -> Generator[BinaryIO]:
    """Open what was given: the text itself, `@FILE`, or stdin.

    Raises SettingsError where there is nothing to read.
    """
    if data is not None and data.startswith("@"):
        with _open_file(Path(data[1:])) as source:
            yield source
    elif data not in {None, "-"}:
        yield io.BytesIO(os.fsencode(data or ""))
    elif data is None and sys.stdin.isatty():
        raise SettingsError("there is no data:", ["give it as JSON, as @FILE, or on stdin"])
    else:
        yield sys.stdin.buffer


def _open_file(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise SettingsError("the data can't be read:", [f"{path}: {error.strerror or error}"]) from error


@dataclass(slots=True)
class Pushed:
    """Ids of jobs, by what came of them."""

    added: list[str] = field(default_factory=list[str])
    duplicates: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Producer:
    """Enqueues on one queue, and says what came of it."""

    spec: PoolSpec
    env: Mapping[str, str]
    maker: Maker
    as_json: bool

    @classmethod
    def of(cls, queue: str, pool: Path | None, fields: Mapping[str, Any], *, urgent: bool, as_json: bool) -> "Producer":
        """Find the queue's settings and handlers; fields that are None are left out.

        Raises SettingsError, UnknownQueueError.
        """
        env = pools.read_environment()
        [spec] = pools.look_up(queue, env, pool)
        handlers = {handler.type: handler for handler in find_module(spec.handlers).handlers}
        given = {name: value for name, value in fields.items() if value is not None}
        return cls(spec, env, Maker(handlers, spec.job, given, urgent), as_json)

    @contextmanager
    def traced(self) -> Generator[None]:
        """Send the trace of what the block enqueues, where traces are sent at all. Raises SettingsError."""
        tracing = compose.open_tracing(self.env, compose.new_name(), {})
        try:
            yield
        finally:
            if tracing is not None:
                tracing.close_now()

    def enqueue_one(self, source: BinaryIO) -> ExitCode:
        """Enqueue a job and print its id. Raises InvalidJobError, QueueUnavailableError."""
        job = self._make(source)

        async def push() -> bool:
            async with compose.open_queues([self.spec], self.env) as [opened]:
                return (await enqueue_traced(opened.control, self.spec.queue, [job]))[0]

        return self._tell_one(job, added=asyncio.run(push()))

    def _make(self, source: BinaryIO) -> Enqueue:
        given = source.read(MAX_PAYLOAD_BYTES + 1)
        if len(given) > MAX_PAYLOAD_BYTES:
            raise InvalidJobError("nothing was enqueued:", [f"too large: {MAX_PAYLOAD_BYTES} bytes are allowed"])
        return self.maker.make(given, new_id=compose.new_name(), now=compose.SystemClock().now())

    def _tell_one(self, job: Enqueue, *, added: bool) -> ExitCode:
        if self.as_json:
            due = {"dueAt": rfc3339(job.due or None)}
            print_json({"id": job.job_id, "queue": self.spec.queue, "enqueued": added, "duplicate": not added, **due})
        elif not added:
            key = f", or one with the key {job.unique_key}" if job.unique_key else ""
            note(f"a duplicate: {job.job_id} is known already{key}; nothing was enqueued")
        elif sys.stdout.isatty():
            say(f"enqueued {job.job_id} on {self.spec.queue}")
        else:
            say(job.job_id)
        return ExitCode.OK if added else ExitCode.DUPLICATE

    def enqueue_and_wait(self, source: BinaryIO, seconds: float | None) -> ExitCode:
        """Enqueue a job, wait for its end and print what it came to; one that is known already is waited for too.

        Raises InvalidJobError, QueueUnavailableError, UnknownJobError where the record isn't kept.
        """
        job = self._make(source)
        added, record = asyncio.run(self._push_and_wait(job, seconds))
        if record is not None:
            return tell_result(record, as_json=self.as_json)
        if added:
            raise UnknownJobError(unknown(job.job_id, [self.spec.queue]))
        return self._tell_one(job, added=False)

    async def _push_and_wait(self, job: Enqueue, seconds: float | None) -> tuple[bool, JobRecord | None]:
        async with compose.open_queues([self.spec], self.env) as [opened]:
            control = opened.control
            [added] = await enqueue_traced(control, self.spec.queue, [job])
            if not added and await control.find(job.job_id) is None:
                return added, None
            if not self.as_json:
                note(f"waiting for {job.job_id}" + ("" if added else ", which was enqueued before"))
            with progress_of(job.job_id, quiet=self.as_json) as show:
                return added, await wait_for_end(lambda: control.find(job.job_id), seconds, show)

    def enqueue_lines(self, source: BinaryIO) -> ExitCode:
        """Enqueue a job a line, in batches, and print how many. Raises InvalidJobError, QueueUnavailableError."""
        now = compose.SystemClock().now
        pushed = Pushed()
        with ExitStack() as stack:
            with counting("checking lines", None, quiet=self.as_json) as advance:
                checked = stack.enter_context(check_lines(source, self.maker, compose.new_name, now, advance))
            with counting("enqueueing", checked.count, quiet=self.as_json) as advance:
                asyncio.run(self._push_batches(checked.batches(), pushed, advance))
        return self._tell_many(pushed)

    async def _push_batches(
        self, batches: Iterable[list[Enqueue]], pushed: Pushed, advance: Callable[[int], None]
    ) -> None:
        async with compose.open_queues([self.spec], self.env) as [opened]:
            for batch in batches:
                try:
                    answers = await enqueue_traced(opened.control, self.spec.queue, batch)
                except QueueUnavailableError as error:
                    before = f"{len(pushed.added)} jobs had been enqueued; of {len(batch)} more it isn't known"
                    raise QueueUnavailableError(f"{error}\n  - {before}") from error.__cause__
                for job, added in zip(batch, answers, strict=True):
                    (pushed.added if added else pushed.duplicates).append(job.job_id)
                advance(len(batch))

    def _tell_many(self, pushed: Pushed) -> ExitCode:
        if self.as_json:
            print_json({"queue": self.spec.queue, "enqueued": pushed.added, "duplicates": pushed.duplicates})
        else:
            duplicates = f"; {len(pushed.duplicates)} were known already" if pushed.duplicates else ""
            say(f"enqueued {len(pushed.added)} jobs on {self.spec.queue}{duplicates}")
        return ExitCode.DUPLICATE if pushed.duplicates and not pushed.added else ExitCode.OK
