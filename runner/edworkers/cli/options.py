"""Arguments and options that several commands share, and their completion in the shell."""

import math
import re
from pathlib import Path
from typing import Annotated, Any

import typer

_JOB_ID = re.compile(r"[!-~]{1,128}")


def complete_queue(context: typer.Context, incomplete: str) -> list[str]:
    """Name the queues that begin so: the platform's, and those of the pool's settings."""
    from edworkers import pools
    from edworkers.core.errors import EdworkersError
    from edworkers.handlers.registry import installed

    manifest: Any = context.params.get("pool")
    try:
        specs = pools.known_specs(pools.read_environment(), Path(manifest) if manifest else None)
        known = [spec.queue for spec in specs]
    except (EdworkersError, OSError, ValueError):
        known = installed()
    return [queue for queue in known if queue.startswith(incomplete)]


def check_id(job_id: str) -> str:
    """Refuse what can't be a job's id, before anyone is asked for it."""
    if _JOB_ID.fullmatch(job_id) is None:
        raise typer.BadParameter(f"{job_id!a} is no id of a job: 1 to 128 printable ASCII characters without spaces")
    return job_id


def usable_id(job_id: str | None) -> str | None:
    """Refuse an option that can't be a job's id."""
    return None if job_id is None else check_id(job_id)


def finite(seconds: float | None) -> float | None:
    """Refuse what is a number only in name: nan and inf."""
    if seconds is not None and not math.isfinite(seconds):
        raise typer.BadParameter("must be a number of seconds")
    return seconds


def utf8(text: str | None) -> str | None:
    """Refuse bytes that are no text: they couldn't be written as JSON."""
    if text is not None and any("\ud800" <= character <= "\udfff" for character in text):
        raise typer.BadParameter("must be UTF-8")
    return text


def queue_names(queues: list[str] | None) -> list[str]:
    """Refuse what can't be a queue's name, each of them at once."""
    from edworkers.core.keys import QUEUE_NAME, QUEUE_NAME_IN_WORDS

    wrong = ", ".join(f"{queue!a}" for queue in queues or () if QUEUE_NAME.fullmatch(queue) is None)
    if wrong:
        raise typer.BadParameter(f"{wrong}: the name of a queue is {QUEUE_NAME_IN_WORDS}")
    return queues or []


def _check_ids(job_ids: list[str] | None) -> list[str]:
    return [check_id(job_id) for job_id in job_ids or ()]


def _check_words(words: list[str]) -> list[str]:
    if len(words) > 2:
        raise typer.BadParameter("give an id, or a queue and an id")
    check_id(words[-1])
    return words


Queue = Annotated[str, typer.Argument(help="name of the queue", autocompletion=complete_queue)]
Queues = Annotated[
    list[str] | None,
    typer.Argument(metavar="QUEUE", help="names of queues; all known ones if none", autocompletion=complete_queue),
]
JobId = Annotated[str, typer.Argument(metavar="ID", help="id of the job", callback=check_id)]
JobIds = Annotated[list[str] | None, typer.Argument(metavar="ID", help="ids of dead jobs", callback=_check_ids)]
Words = Annotated[
    list[str],
    typer.Argument(
        metavar="[QUEUE] ID",
        help="id of the job; without a queue, all known queues are looked through",
        callback=_check_words,
        autocompletion=complete_queue,
    ),
]
Pool = Annotated[
    Path | None, typer.Option("--pool", metavar="FILE", help="a WorkerPool manifest to take the settings from")
]
Json = Annotated[bool, typer.Option("--json", help="for programs: one JSON document on stdout, errors too as JSON")]
Wait = Annotated[bool, typer.Option("--wait", help="wait until the job has ended")]
WaitSeconds = Annotated[
    float | None,
    typer.Option("--wait-seconds", metavar="SECONDS", min=0, callback=finite, help="wait, but no longer than this"),
]
