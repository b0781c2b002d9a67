"""One job of these queues: what is pushed, how it has to end, and what its output has to be."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from edworkers.ports import JobRecord
from edworkers.standins.mailbox import Mailbox
from edworkers.standins.postgres import PostgresServer


@dataclass(frozen=True, slots=True)
class Place:
    """Where the outputs are, and what they come from."""

    folder: Path
    """Everything that stays for people to look at."""
    mailbox: Mailbox
    postgres: PostgresServer

    def url(self, name: str) -> str:
        """Give the storage URL of what is in the folder; its name needs no encoding."""
        return f"{self.folder.as_uri()}/{name}"


Prove = Callable[[Place, JobRecord], Awaitable[list[str]]]
"""Says what is wrong with an output, a line each; nothing when all is well."""


@dataclass(frozen=True, slots=True)
class Step:
    """One job. `name` is its id."""

    name: str
    queue: str
    shows: str
    data: Mapping[str, Any]
    prove: Prove
    type: str | None = None
    state: str = "done"
    later: bool = False
    """Whether its output comes by further jobs, after its own end."""
    output: str = ""
    """What of the folder to look at."""

    @property
    def job(self) -> dict[str, Any]:
        """The job as it is pushed."""
        kind = {} if self.type is None else {"type": self.type}
        return {"id": self.name, **kind, "data": dict(self.data)}


@dataclass(frozen=True, slots=True)
class Proof:
    """How a step ended, and what is wrong with its output, if anything is."""

    step: Step
    record: JobRecord | None
    wrong: tuple[str, ...]

    @property
    def ended_well(self) -> bool:
        """Whether the job ended as it should, whatever its output is."""
        return self.record is not None and self.record.state.value == self.step.state

    def as_json(self) -> dict[str, Any]:
        """Give it for programs."""
        return {
            "name": self.step.name,
            "queue": self.step.queue,
            "shows": self.step.shows,
            "ok": not self.wrong,
            "state": None if self.record is None else self.record.state.value,
            "output": self.step.output,
            "faults": list(self.wrong),
        }


async def prove(step: Step, place: Place, record: JobRecord | None) -> Proof:
    """Look at what became of a step."""
    if record is None or record.state.value != step.state:
        found = "no record" if record is None else f"{record.state.value} ({record.error or record.progress})"
        return Proof(step, record, (f"should end {step.state}, is {found}",))
    return Proof(step, record, tuple(await step.prove(place, record)))


def buried_because(*words: str) -> Prove:
    """Make the proof that a job was buried with a reason that has all these words."""

    async def look(_place: Place, record: JobRecord) -> list[str]:
        message = str((record.error or {}).get("message", ""))
        return [f"the reason should tell of {word!r}, is {message!r}" for word in words if word not in message]

    return look


def result_of(record: JobRecord) -> dict[str, Any]:
    """Give a job's result, which is an object."""
    return cast("dict[str, Any]", record.result) if isinstance(record.result, dict) else {}


def sha256(path: Path) -> str:
    """Give a file's checksum; empty where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
