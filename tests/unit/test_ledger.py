"""What the ledger keeps in memory is bounded, what it couldn't write comes again, and jobs never hear of it."""

import asyncio
from collections.abc import Sequence

import pytest

from edworkers.core.errors import DatabaseUnavailableError, QueueUnavailableError
from edworkers.core.job import Entry
from edworkers.pipeline import ledger as ledgers
from edworkers.pipeline.claim import Claimed
from edworkers.pipeline.ledger import Ledger
from edworkers.ports import DeadLetter, Finished, Settlement, Unrecorded


class Book:
    """A book that can be shut."""

    def __init__(self) -> None:
        self.jobs: list[str] = []
        self.letters: list[str] = []
        self.is_shut = False
        self.tries = 0
        self.is_frozen = False
        self.hung_up = asyncio.Event()

    async def write(self, finished: Sequence[Finished], letters: Sequence[DeadLetter]) -> None:
        self.tries += 1
        if self.is_frozen:
            await self.hung_up.wait()
        if self.is_shut or self.is_frozen:
            raise DatabaseUnavailableError("shut")
        self.jobs += [job.id for job in finished]
        self.letters += [letter.job.id for letter in letters]

    async def close(self) -> None:
        self.hung_up.set()

    async def tried(self, times: int) -> None:
        while self.tries < times:  # noqa: ASYNC110 - one round of the loop after the other
            await asyncio.sleep(0)


class Dead:
    """Dead letters in memory."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []
        self.mark = 0
        self.asked = 0
        self.is_away = False
        self.given_up = 0

    async def unrecorded(self, at_most: int) -> Unrecorded:
        self.asked += 1
        if self.is_away:
            raise QueueUnavailableError("away")
        left = [letter for letter in self.letters if letter.job.finished_at > self.mark]
        page = left[:at_most]
        return Unrecorded(page, page[-1].job.finished_at if page else 0, len(page) == len(left))

    async def recorded(self, mark: int, *, is_over: bool = False) -> None:
        if self.is_away:
            raise QueueUnavailableError("away")
        self.mark = mark or self.mark
        self.given_up += is_over


def end(ledger: Ledger, job_id: str, verb: str = "ack", *, lost: bool = False) -> None:
    claimed = Claimed(f"r-{job_id}", f"r-{job_id}", job_id, Entry(b""))
    made = Settlement(claimed.receipt, job_id, claimed.origin, verb, 0, 1)
    ledger.note(claimed, made, now=1000, ran=0.5)
    ledger.settled([made], [made.receipt] if lost else [])


def letter(job_id: str, at: int) -> DeadLetter:
    return DeadLetter(Finished("work", job_id, "buried", at), {"kind": "k", "message": "m"}, b"{}")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "GATHER_SECONDS", 0)
    monkeypatch.setattr(ledgers, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(ledgers, "LONGEST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(ledgers, "CLOSE_SECONDS", 0.05)


async def test_done_and_cancelled_jobs_are_written_and_nothing_else_is() -> None:
    book, dead = Book(), Dead()
    ledger = Ledger("work", book, dead)
    for verb in ("ack", "cancel", "retry", "defer", "release", "duplicate", "bury"):
        end(ledger, verb, verb)
    end(ledger, "lost", lost=True)
    ledger.open()
    await ledger.close()
    assert book.jobs == ["ack", "cancel"]


async def test_errors_are_written_from_the_dead_letters_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "BATCH", 2)
    book, dead = Book(), Dead()
    dead.letters = [letter(f"job-{number}", number + 1) for number in range(7)]
    ledger = Ledger("work", book, dead)
    ledger.open()
    await ledger.close()
    assert book.letters == [f"job-{number}" for number in range(7)]
    assert (dead.mark, dead.given_up) == (7, 1)


async def test_while_the_database_is_away_the_newest_jobs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "MOST_KEPT", 10)
    book, dead = Book(), Dead()
    book.is_shut = True
    ledger = Ledger("work", book, dead)
    ledger.open()
    for number in range(25):
        end(ledger, f"job-{number}")
    await book.tried(3)
    book.is_shut = False
    await ledger.close()
    assert book.jobs == [f"job-{number}" for number in range(15, 25)]
    assert ledger.dropped == 15


async def test_jobs_that_could_not_be_written_keep_their_order_and_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "MOST_KEPT", 4)
    monkeypatch.setattr(ledgers, "BATCH", 3)
    book = Book()
    book.is_frozen = True
    ledger = Ledger("work", book, Dead())
    ledger.open()
    for number in range(4):
        end(ledger, f"job-{number}")
    await book.tried(1)
    for number in range(4, 7):
        end(ledger, f"job-{number}")  # while three of the others are in hand
    book.is_frozen = False
    book.is_shut = True
    book.hung_up.set()
    await book.tried(3)
    book.is_shut = False
    await ledger.close()
    assert book.jobs == ["job-3", "job-4", "job-5", "job-6"]
    assert ledger.dropped == 3


async def test_a_frozen_database_does_not_hold_up_the_end() -> None:
    book = Book()
    book.is_frozen = True
    ledger = Ledger("work", book, Dead())
    ledger.open()
    end(ledger, "a")
    async with asyncio.timeout(30):
        await ledger.close()
    assert book.jobs == []


async def test_while_redis_is_away_finished_jobs_are_written_all_the_same() -> None:
    book, dead = Book(), Dead()
    dead.is_away = True
    ledger = Ledger("work", book, dead)
    ledger.open()
    end(ledger, "a")
    await ledger.close()
    assert book.jobs == ["a"]


async def test_a_letter_that_redis_tells_of_again_is_not_written_again() -> None:
    book, dead = Book(), Dead()
    dead.letters = [letter("a", 1)]
    ledger = Ledger("work", book, dead)

    async def forgets(_mark: int, *, is_over: bool = False) -> None:
        pass

    dead.recorded = forgets  # type: ignore[method-assign, assignment]
    ledger.open()
    while dead.asked < 5:  # noqa: ASYNC110 - one round of the loop after the other
        await asyncio.sleep(0)
    dead.letters.append(letter("b", 2))
    await ledger.close()
    assert "b" in book.letters
