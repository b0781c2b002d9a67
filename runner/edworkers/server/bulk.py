"""One verb for many jobs: kept in the servers' books, carried out in steps by any one server, undone until it starts.

An operation waits for as long as its maker may change their mind. Then one server at a time takes turns with it, each
a step long; where a server is lost, another carries on from the last step that was kept. A step that is done twice
changes nothing twice: what it had changed is no longer in the state that is asked for, or ended after the operation was
made. It is counted once: what the lost server changed in its last step is in no count.
"""

import asyncio
from dataclasses import dataclass, replace

import structlog

from edworkers.core.errors import QueueUnavailableError
from edworkers.ports.books import BulkOperation, Deed
from edworkers.ports.browse import Wanted
from edworkers.server.bulk_steps import take_step
from edworkers.server.choice import BulkRefusedError, Choice, check_choice, in_words
from edworkers.server.platform import Platform, ServedQueue

UNDO_MS = 10_000
"""How long an operation waits before it starts."""
OPEN = ("waiting", "running")
"""How an operation stands that is not over."""

_TURN_MS = 10_000
_KNOWN = 100
_CAUSES = 200
"""Among so many causes the one that is meant is looked for."""
_LONGEST = 90
"""Of a cause so many characters are told."""
_LISTENING_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class BulkDesk:
    """Takes operations in, tells of them and takes them back. Everything raises QueueUnavailableError."""

    platform: Platform

    async def create(self, queue: str, action: str, choice: Choice, who: str) -> BulkOperation:
        """Begin an operation, which starts when its undo window is over.

        Raises BulkRefusedError for what can't be done to jobs in that state, and KeyError for an unknown queue.
        """
        check_choice(action, choice)
        served = self.platform.queues()[queue]
        total = len(choice.ids) or (await served.browser.page(choice.state, None, 1)).total
        now = self.platform.clock.now()
        operation = BulkOperation(
            id=self.platform.new_id(),
            queue=queue,
            action=action,
            state=str(choice.state),
            wanted=choice.as_fields(),
            who=who,
            created_at=now,
            starts_at=now + UNDO_MS,
            status="waiting",
            total=total,
            about=await self._about(served, choice),
        )
        await self.platform.books.save(operation)
        await self._note(operation, who, action, f"begun as {operation.id}{looks_through(operation)}")
        return operation

    async def _about(self, served: ServedQueue, choice: Choice) -> str:
        """Say what jobs of one cause died of, and how many those are; empty for all other choices."""
        cause = choice.wanted.fingerprint
        if cause is None or choice.wanted != Wanted(fingerprint=cause):
            return ""
        groups = await served.browser.failures(_CAUSES)
        found = next((group for group in groups if group.fingerprint == cause), None)
        return (
            ""
            if found is None
            else f"{_jobs(found.count)}: {_short(str(self.platform.redactor.redact(found.message)))}"
        )

    async def undo(self, operation_id: str, who: str) -> BulkOperation:
        """Take an operation back before it starts, or stop one that runs: what it has changed stays so.

        Raises BulkRefusedError where it is over, and KeyError where there is none.
        """
        operation = await self.find(operation_id)
        if await self.platform.books.save(replace(operation, status="undone"), only_if="waiting"):
            await self._note(operation, who, "undo", f"{operation.action} {operation.id} before it started")
        elif await self.platform.books.save(
            replace(await self.find(operation_id), status="stopped"), only_if="running"
        ):
            await self._note(operation, who, "undo", f"{operation.action} {operation.id} stopped on its way")
        ended = await self.find(operation_id)
        if ended.status not in ("undone", "stopped"):
            raise BulkRefusedError(f"too late: the operation is {ended.status}")
        return ended

    async def find(self, operation_id: str) -> BulkOperation:
        """Look up an operation. Raises KeyError where there is none."""
        operation = await self.platform.books.operation(operation_id)
        if operation is None:
            raise KeyError(operation_id)
        return operation

    async def _note(self, operation: BulkOperation, who: str, what: str, detail: str) -> None:
        await note(self.platform, operation, who, what, detail)


async def note(platform: Platform, operation: BulkOperation, who: str, what: str, detail: str) -> None:
    """Keep in the audit log what became of an operation. Raises QueueUnavailableError."""
    await platform.books.note(Deed(platform.clock.now(), who, what, operation.queue, in_words(operation), detail))


def looks_through(operation: BulkOperation) -> str:
    """Say how many jobs have to be looked at to find those that are meant; nothing where they are named."""
    if "ids" in operation.wanted:
        return ""
    return f", which looks through {operation.total} {operation.state} {'job' if operation.total == 1 else 'jobs'}"


def _jobs(number: int) -> str:
    return "1 job" if number == 1 else f"{number} jobs"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


class BulkRunner:
    """Carries operations out; each server has one."""

    def __init__(self, platform: Platform, server: str) -> None:
        """`server` is a name that no other server has."""
        self._platform = platform
        self._server = server
        self._log = structlog.get_logger("edworkers.server.bulk")

    async def run(self) -> None:
        """Carry operations out until cancelled; waits while Redis is away."""
        while True:
            worked = False
            try:
                worked = await self.take_turns()
            except QueueUnavailableError as error:
                self._log.warning("bulk.unavailable", error=str(error))
            if not worked:
                await asyncio.sleep(_LISTENING_SECONDS)

    async def take_turns(self) -> bool:
        """Take one turn with each operation that is due; returns whether there was any. Raises QueueUnavailableError.

        After each step it rests as long as that took, so that Redis has time for others.
        """
        worked = False
        for operation in await self._platform.books.operations(_KNOWN):
            served = self._platform.queues().get(operation.queue)
            due = operation.status in OPEN and operation.starts_at <= self._platform.clock.now()
            if served is None or not due:
                continue
            if await self._platform.books.take_turn(operation.id, self._server, _TURN_MS):
                began = self._platform.clock.monotonic()
                worked = await self._turn(operation.id, served) or worked
                await asyncio.sleep(min(self._platform.clock.monotonic() - began, 1))
        return worked

    async def _turn(self, operation_id: str, served: ServedQueue) -> bool:
        operation = await self._platform.books.operation(operation_id)
        if operation is None or operation.status not in OPEN:
            return False
        if operation.status == "waiting":
            running = replace(operation, status="running")
            if not await self._platform.books.save(running, only_if="waiting"):
                return False
            operation = running
        try:
            after = await take_step(operation, served)
        except ValueError as error:
            after = replace(operation, status="failed", fault=f"can't go on: {error}")
        if await self._platform.books.save(after, only_if="running") and after.status != "running":
            await self._tell_end(after)
        return True

    async def _tell_end(self, operation: BulkOperation) -> None:
        detail = f"{operation.id} {operation.status}: {operation.changed} changed, {operation.refused} refused"
        detail += f"; {operation.fault}" if operation.fault else ""
        await note(self._platform, operation, operation.who, f"{operation.action}-end", detail)
