"""`notification-batch` with runners that are killed between any two of its steps."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from tests.integration.processes import Programs, Queue, eventually

from edworkers.core.lifecycle import State

USERS = ("ada", "bo", "cy", "di", "ed")

STEPS = [
    f"{when} {what}"
    for what in (
        "notification-batch as a whole",
        "the claim",
        "the claim, in its transaction",
        "reading",
        "notification-sent as a whole",
        "the mark",
        "the mark, in its transaction",
    )
    for when in ("before", "after")
]


@pytest.fixture
async def programs(tmp_path: Path, redis_url: str, migrated_url: str) -> AsyncIterator[Programs]:
    env = {"REDIS_URL": redis_url, "NEON_DATABASE_URL": migrated_url, "CRASH_ONCE": str(tmp_path / "crashed")}
    programs = Programs(tmp_path, env)
    yield programs
    await programs.end()


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[Queue]:
    queue = Queue(redis_url, redis_url, "scheduled")
    yield queue
    await queue.close()


async def prepare(url: str) -> None:
    """Two notifications for each user, and a note of each time that one is marked sent."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as database:
        await database.execute("CREATE TABLE marks (id bigint)")
        await database.execute(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO marks VALUES (NEW.id); RETURN NULL; END $$"
        )
        await database.execute(
            "CREATE TRIGGER note AFTER UPDATE ON edworkers.notifications FOR EACH ROW"
            " WHEN (NEW.sent_at IS NOT NULL) EXECUTE FUNCTION note()"
        )
        for title in ("first", "second"):
            for user in USERS:
                await database.execute(
                    "INSERT INTO edworkers.notifications (user_id, email, kind, title) VALUES (%s, %s, 'grade', %s)",
                    [user, f"{user}@school.example", f"{title} of {user}"],
                )


async def marks(url: str) -> Counter[int]:
    async with await psycopg.AsyncConnection.connect(url) as database:
        return Counter(number for (number,) in await (await database.execute("SELECT id FROM marks")).fetchall())


@pytest.mark.parametrize("step", STEPS)
async def test_every_notification_is_in_one_mail_and_marked_once_wherever_the_runner_is_killed(
    step: str, programs: Programs, queue: Queue, migrated_url: str
) -> None:
    await prepare(migrated_url)
    manifest = programs.manifest("scheduled", handlers="handlers_scheduled_crashing", leaseSeconds=0.5)
    runner = await programs.runner(manifest, CRASH_AT=step)
    await queue.push({"id": "nightly", "type": "notification-batch", "data": {"users": 3}})
    assert await runner.ended() == -9
    await programs.runner(manifest, CRASH_AT=step)
    await queue.becomes("nightly", State.DONE)

    async def all_is_marked() -> bool:
        return len(await marks(migrated_url)) == 2 * len(USERS) and await queue.is_empty()

    await eventually(all_is_marked)
    assert set((await marks(migrated_url)).values()) == {1}
    mails = [json.loads(raw)["data"] for raw in await queue.client.lrange("edworkers:{email}:pending", 0, -1)]
    assert Counter(mail["to"][0] for mail in mails) == Counter(f"{user}@school.example" for user in USERS)
    told = Counter(title for mail in mails for title in mail["text"].split("\n\n"))
    assert {title.strip() for title in told} == {
        f"{title} of {user}" for title in ("first", "second") for user in USERS
    }
    assert set(told.values()) == {1}
