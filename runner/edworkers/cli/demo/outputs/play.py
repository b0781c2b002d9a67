"""Plays the jobs of these queues, one group after the other, and looks at each output."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from edworkers.cli.demo.outputs.documents import first_documents, pictures, write_sources
from edworkers.cli.demo.outputs.mails import mails
from edworkers.cli.demo.outputs.step import Place, Step
from edworkers.cli.demo.outputs.tasks import backup, prepare, tasks, write_reports

QUEUES = ("document", "email", "scheduled")


def write_files(folder: Path) -> None:
    """Write what the jobs work on."""
    write_sources(folder)
    write_reports(folder)


async def groups(place: Place) -> AsyncGenerator[tuple[str, Sequence[Step]]]:
    """Give what can be pushed at once, each group when the one before is over; makes the database they work on."""
    yield "Documents become PDFs; one can't be read", first_documents(place)
    yield "Pictures of the pages, and a mail that brings the PDF", (pictures(place), *mails(place))
    await prepare(place)
    yield "Tasks by the clock: tokens, a report, notifications", tasks(place)
    yield "A backup, which is restored and compared", (backup(place),)
