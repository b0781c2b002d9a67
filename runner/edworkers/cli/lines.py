"""JSON Lines: all of them are checked before the first is pushed, and neither step keeps them in memory."""

import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, BinaryIO

from pydantic_core import from_json, to_json

from edworkers.cli.payload import Maker
from edworkers.core.errors import InvalidJobError
from edworkers.core.settings import MAX_PAYLOAD_BYTES
from edworkers.ports import Enqueue

BATCH = 500
_BATCH_BYTES = 4 * 1024 * 1024
_IN_MEMORY_BYTES = 16 * 1024 * 1024
_MOST_FAULTS = 50


@dataclass(slots=True)
class Checked:
    """Jobs that were found good, on disk where they are many."""

    spool: IO[bytes]
    count: int = 0
    faults: list[str] = field(default_factory=list[str])
    more_faults: int = 0

    def add(self, job: Enqueue) -> None:
        """Keep a job."""
        self.spool.write(to_json((job.job_id, job.unique_key, job.urgent, job.due)) + b"\n" + job.payload + b"\n")
        self.count += 1

    def refuse(self, number: int, faults: tuple[str, ...]) -> None:
        """Note what is wrong with a line."""
        room = max(_MOST_FAULTS - len(self.faults), 0)
        self.faults += [f"line {number}: {fault}" for fault in faults[:room]]
        self.more_faults += len(faults[room:])

    def batches(self) -> Iterator[list[Enqueue]]:
        """Give the jobs in their order, as many at once as one call should carry."""
        self.spool.seek(0)
        batch: list[Enqueue] = []
        size = 0
        while head := self.spool.readline():
            job_id, unique_key, urgent, due = from_json(head)
            payload = self.spool.readline()[:-1]
            if batch and (len(batch) == BATCH or size + len(payload) > _BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(Enqueue(job_id, payload, unique_key, urgent, due))
            size += len(payload)
        if batch:
            yield batch


@contextmanager
def check_lines(
    source: BinaryIO, maker: Maker, new_id: Callable[[], str], now: Callable[[], int], advance: Callable[[int], None]
) -> Generator[Checked]:
    """Check every line of `source`; blank ones are passed over.

    Raises InvalidJobError with the faults of all lines.
    """
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as spool:
        checked = Checked(spool)
        for number, line in enumerate(_lines(source), start=1):
            if line.strip():
                try:
                    checked.add(maker.make(line, new_id=new_id(), now=now()))
                except InvalidJobError as error:
                    checked.refuse(number, error.faults)
            advance(1)
        if checked.faults:
            more = [f"and {checked.more_faults} more faults"] if checked.more_faults else []
            raise InvalidJobError("nothing was enqueued, for not all lines are jobs:", [*checked.faults, *more])
        yield checked


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """Give the lines; of one that is too long only so much that it is known to be."""
    longest = MAX_PAYLOAD_BYTES + 2
    while line := source.readline(longest):
        yield line
        while len(line) == longest and not line.endswith(b"\n"):
            line = source.readline(longest)
