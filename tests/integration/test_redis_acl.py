"""Users of Redis with the rights that `edworkers acl` prints: each can do its work, and nothing else."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from redis.exceptions import NoPermissionError
from tests.integration.command_line import MESSAGE, CommandLine
from tests.integration.processes import Programs, Queue, eventually

from edworkers.adapters.redis.acl import users
from edworkers.adapters.redis.books import RedisBooks
from edworkers.adapters.redis.browse import RedisBrowser
from edworkers.adapters.redis.control import RedisControl
from edworkers.core.lifecycle import State
from edworkers.core.settings import Retention
from edworkers.ports import Enqueue
from edworkers.ports.books import BulkOperation, Deed, Sample
from edworkers.ports.browse import Wanted
from edworkers.standins.redis import RedisServer

PASSWORD = "CHANGE-ME"  # as it is printed
KEDA = """
local kind = redis.call('type', KEYS[1]).ok
local count = {list = 'llen', zset = 'zcard', set = 'scard', hash = 'hlen'}
if kind == 'none' then return 0 end
return redis.call(count[kind], KEYS[1])
"""
"""What KEDA asks by: first the type of a key, then its length."""


class Guarded:
    """A Redis with these users."""

    def __init__(self, server: RedisServer, admin: Any) -> None:
        self.server = server
        self.admin = admin
        self._clients: list[Any] = []

    def env(self, user: str) -> dict[str, str]:
        names = {"REDIS_USERNAME": f"edworkers-{user}", "REDIS_PASSWORD": PASSWORD}
        return {"REDIS_URL": "", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(self.server.port), **names}

    def client(self, user: str) -> Any:
        # Since Redis 7.2 the library tells its name, which is refused without harm, and logged.
        made = redis.asyncio.Redis(
            port=self.server.port, username=f"edworkers-{user}", password=PASSWORD, driver_info=None
        )
        self._clients.append(made)
        return made

    async def refused(self) -> list[tuple[str, str]]:
        """Whom Redis refused what."""
        entries = await self.admin.execute_command("ACL", "LOG")
        return [(entry["username"], entry["object"]) for entry in map(_read, entries)]

    async def close(self) -> None:
        for client in (*self._clients, self.admin):
            await client.aclose()


def _read(entry: Any) -> dict[str, str]:
    words = entry if isinstance(entry, list) else [word for pair in entry.items() for word in pair]
    text = [word.decode() if isinstance(word, bytes) else str(word) for word in words]
    return dict(zip(text[::2], text[1::2], strict=True))


async def _make_users(shell: CommandLine, admin: Any, *words: str) -> None:
    ran = await shell.run("acl", *words)
    assert ran.code == 0
    for line in ran.out.splitlines():
        assert await admin.execute_command(*line.split()) in {b"OK", True}


@pytest.fixture
async def guarded(redis_server: RedisServer, tmp_path: Path) -> AsyncGenerator[Guarded]:
    admin: Any = redis.asyncio.Redis(port=redis_server.port)
    await _make_users(CommandLine(tmp_path, redis_server.url), admin)
    found = Guarded(redis_server, admin)
    yield found
    await found.close()


@pytest.fixture
def shell(guarded: Guarded, tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path, guarded.server.url)


@pytest.fixture
async def queue(guarded: Guarded, redis_url: str) -> AsyncGenerator[Queue]:
    seen = Queue(guarded.server.url, redis_url)
    yield seen
    await seen.close()


FAIR = {"groups": {"maxInflight": 9}, "limits": [{"name": "each", "limit": 99, "window": "day", "per": "group"}]}
KINDS = pytest.mark.parametrize("kind", [{}, {"groups": {}}, FAIR], ids=["in a list", "fair", "fair with limits"])


@KINDS
async def test_a_runner_can_do_all_its_work(
    programs: Programs, guarded: Guarded, queue: Queue, kind: dict[str, Any]
) -> None:
    limits = [{"name": "few", "limit": 100, "window": "minute"}, {"name": "day", "limit": 100, "window": "day"}]
    given = {**kind, "limits": limits + kind.get("limits", [])}
    manifest = programs.manifest(**given, leaseSeconds=1, job={"maxAttempts": 2})
    runner = await programs.runner(manifest, **guarded.env("runner"))
    await queue.push(
        {"id": "plain", "group": "a", "data": {}},
        {"id": "next", "group": "b", "data": {"do": "follow_up"}},
        {"id": "progress", "data": {"do": "progress"}},
        {"id": "emit", "data": {"do": "emit"}},
        {"id": "later", "delay": 0.1, "uniqueKey": "k", "data": {}},
        b"no JSON",
    )
    for job_id in ("plain", "next", "progress", "emit", "later"):
        await queue.becomes(job_id, State.DONE)
    assert await queue.client.xlen(queue.key("text:emit"))
    await queue.push({"id": "long", "group": "a", "data": {"do": "sleep", "seconds": 600}})
    await queue.becomes("long", State.INFLIGHT)
    await queue.control.cancel("long")
    await queue.becomes("long", State.CANCELLED)

    async def forwarded() -> bool:
        return int(await guarded.admin.llen("edworkers:{next}:pending")) == 1

    await eventually(forwarded)
    assert (await guarded.refused(), runner.seen("redis.away"), runner.seen("keeper.failed")) == ([], [], [])


@KINDS
async def test_a_keeper_can_do_all_its_work(
    programs: Programs, guarded: Guarded, queue: Queue, kind: dict[str, Any]
) -> None:
    manifest = programs.manifest(**kind, leaseSeconds=1)
    lost = await programs.runner(manifest, **guarded.env("runner"))
    await queue.push({"id": "lost", "group": "a", "data": {"do": "sleep", "seconds": 600}})
    await queue.began()
    await lost.kill()
    now = (await guarded.admin.time())[0] * 1000
    await queue.control.enqueue([Enqueue("late", b'{"group":"b"}', due=now + 1)])
    await guarded.admin.hset(queue.key("unique"), "held by a job that is gone", "gone")
    await guarded.admin.lpush(queue.key("outbox"), b'next a.next\n{"id":"a.next","data":{}}', b"no follow-up job")
    keeper = await programs.start("keeper", "work", "--pool", str(manifest), **guarded.env("keeper"))
    await keeper.says("keeper.started")

    async def kept() -> bool:
        depths = await queue.depths()
        moved = int(await guarded.admin.llen("edworkers:{next}:pending"))
        return (depths.pending, depths.inflight, depths.delayed, moved) == (2, 0, 0, 1)

    await eventually(kept)
    assert (await guarded.refused(), keeper.seen("keeper.failed")) == ([], [])


async def test_a_pusher_can_push_and_see_nothing(guarded: Guarded) -> None:
    pusher = guarded.client("pusher")
    assert await pusher.lpush("edworkers:{webhook}:pending", "{}") == 1
    assert await pusher.rpush("edworkers:{webhook}:pending", "{}") == 2
    assert await guarded.refused() == []
    for name in ("delayed", "job:a", "unique"):
        with pytest.raises(NoPermissionError):
            await pusher.lpush(f"edworkers:{{webhook}}:{name}", "{}")


async def test_a_producer_can_push_and_enqueue(shell: CommandLine, guarded: Guarded) -> None:
    assert await guarded.client("producer").lpush("edworkers:{webhook}:pending", "{}") == 1
    data = shell.folder / "data.json"
    data.write_text('{"url": "https://school.example/hooks", "event": "e", "payload": {}}')
    for words in (("--id", "a"), ("--id", "b", "--urgent"), ("--delay", "60"), ("--unique-key", "k")):
        ran = await shell.run("enqueue", "webhook", f"@{data}", *words, stdin=b"", **guarded.env("producer"))
        assert (ran.code, ran.err) == (0, "")
    assert await guarded.refused() == []


async def test_a_dashboard_sees_everything(shell: CommandLine, guarded: Guarded) -> None:
    await _make_dead(shell, guarded, "a")
    env = guarded.env("dashboard")
    assert (await shell.run("queues", "--json", stdin=b"", **env)).code == 0
    assert (await shell.run("status", "webhook", "a", stdin=b"", **env)).code == 0
    assert (await shell.run("dead", "list", "webhook", "--json", stdin=b"", **env)).document["jobs"][0]["id"] == "a"
    assert await guarded.refused() == []


async def test_a_user_of_one_queue_sees_it_and_is_told_which_it_may_not_see(
    shell: CommandLine, guarded: Guarded
) -> None:
    await _make_dead(shell, guarded, "a")
    await _make_users(shell, guarded.admin, "--queue", "webhook")
    env = guarded.env("dashboard")
    ran = await shell.run("queues", "--json", stdin=b"", **env)
    assert (ran.code, [(seen["queue"], seen["dead"]) for seen in ran.document["queues"]]) == (3, [("webhook", 1)])
    assert [fault.partition(": ")[0] for fault in ran.error["faults"]] == ["ai", "document", "email", "scheduled"]
    assert all("the user's rights" in fault for fault in ran.error["faults"])
    assert (await shell.run("queues", "webhook", stdin=b"", **env)).code == 0


async def _look_at_everything(client: Any, queue: str) -> None:
    browser = RedisBrowser(client, queue)
    for state in State:
        await browser.page(state, None, 10)
        await browser.search(state, Wanted(text="x"), None, 10)
    for job_id in ("a", "waits", "nobody"):
        await browser.detail(job_id)
    await browser.failures(10)
    books = RedisBooks(client)
    await books.series(queue, 0, 2**41)
    await books.deeds(None, 10)
    await books.operations(10)
    await books.operation("o")


@pytest.mark.parametrize("words", [(), ("--queue", "webhook")], ids=["of all queues", "of one queue"])
async def test_a_dashboard_may_look_at_all_that_a_server_shows(
    shell: CommandLine, guarded: Guarded, words: tuple[str, ...]
) -> None:
    await _make_dead(shell, guarded, "a")
    await _make_users(shell, guarded.admin, *words)
    await RedisBooks(guarded.admin).add_sample("webhook", Sample(2**40, *[1] * 11))
    await guarded.admin.zadd("edworkers:{webhook}:fair", {"g\0000000000000001\0{}": 0})
    await _look_at_everything(guarded.client("dashboard"), "webhook")
    assert await guarded.refused() == []


@pytest.mark.parametrize("words", [(), ("--queue", "webhook")], ids=["of all queues", "of one queue"])
async def test_a_server_can_do_all_its_work(shell: CommandLine, guarded: Guarded, words: tuple[str, ...]) -> None:
    await _make_dead(shell, guarded, "a", "b")
    await _make_users(shell, guarded.admin, *words)
    client = guarded.client("server")
    control = RedisControl(client, "webhook", Retention())
    now = (await guarded.admin.time())[0] * 1000
    assert await control.enqueue(
        [Enqueue("c", b"{}"), Enqueue("d", b"{}", due=now + 600_000), Enqueue("k", b"{}", "k")]
    )
    assert [await control.replay("a"), await control.drop("b"), await control.cancel("d")] == [True, True, "cancelled"]
    assert [await control.cancel("c"), await control.pause(paused=True), await control.pause(paused=False)] == [
        *("requested", True, True)
    ]
    books = RedisBooks(client)
    await books.add_sample("webhook", Sample(now, *[1] * 11))
    await books.note(Deed(now, "who", "replay", "webhook", "a"))
    operation = BulkOperation("o", "webhook", "drop", "dead", {}, "who", now, now, "waiting", 1)
    assert [await books.save(operation), await books.take_turn("o", "s", 1000)] == [True, True]
    assert [await books.once("k", b"v", 60), await books.count("k", 60)] == [None, 1]
    await _look_at_everything(client, "webhook")
    assert await guarded.refused() == []


async def _make_dead(shell: CommandLine, guarded: Guarded, *job_ids: str) -> None:
    from tests.integration.command_line import Jobs

    jobs = Jobs(guarded.server.url, "webhook")
    for job_id in job_ids:
        await jobs.dead(job_id)
    await jobs.push("waits", MESSAGE)
    await jobs.close()


async def test_an_admin_can_mend_everything(shell: CommandLine, guarded: Guarded) -> None:
    await _make_dead(shell, guarded, "a", "b")
    env = guarded.env("admin")
    for words in (
        *(("pause", "webhook"), ("resume", "webhook"), ("cancel", "webhook", "waits")),
        *(("dead", "replay", "webhook", "a", "--yes"), ("dead", "drop", "webhook", "b", "--yes")),
        *(("queues",), ("status", "webhook", "a")),
    ):
        ran = await shell.run(*words, stdin=b"", **env)
        assert (words, ran.code, ran.err) == (words, 0, ran.err)
    assert await guarded.refused() == []


async def test_keda_can_count_each_kind_of_key(guarded: Guarded) -> None:
    keda, key = guarded.client("keda"), "edworkers:{work}:"
    await guarded.admin.lpush(f"{key}pending", "a", "b")
    await guarded.admin.hset(f"{key}inflight", "a", "b")
    await guarded.admin.sadd(f"{key}paused", "paused")
    await guarded.admin.zadd(f"{key}delayed", {"a": 1})
    names = ("pending", "inflight", "paused", "delayed", "throttled")
    assert [await keda.eval(KEDA, 1, f"{key}{name}") for name in names] == [2, 1, 1, 1, 0]
    assert await keda.ping()


PENDING, DEAD, JOB = "edworkers:{work}:pending", "edworkers:{work}:dead", "edworkers:{work}:job:a"
FOR_ADMINISTRATORS = [
    *(("FLUSHALL",), ("FLUSHDB",), ("CONFIG", "SET", "maxmemory-policy", "allkeys-lru"), ("CONFIG", "GET", "*")),
    *(("KEYS", "*"), ("SCAN", "0"), ("SHUTDOWN",), ("ACL", "LIST"), ("REPLICAOF", "a", "1")),
    *(("CLIENT", "LIST"), ("MONITOR",), ("SCRIPT", "FLUSH"), ("GET", "elsewhere"), ("LPUSH", "elsewhere", "a")),
]
TOO_MUCH: dict[str, list[tuple[str, ...]]] = {
    "pusher": [
        *(("LRANGE", PENDING, "0", "-1"), ("RPOP", PENDING), ("DEL", PENDING), ("EVAL", "return 1", "0")),
        *(("HGETALL", JOB), ("HSET", JOB, "a", "b"), ("LPUSH", "edworkers:{work}:outbox", "a")),
    ],
    "producer": [
        *(("ZREVRANGE", DEAD, "0", "-1"), ("HGETALL", JOB), ("LRANGE", PENDING, "0", "-1"), ("RPOP", PENDING)),
        *(("UNLINK", PENDING), ("INFO",), ("PUBLISH", "edworkers:{work}:events", "resume")),
    ],
    "keda": [("LPOP", PENDING), ("LRANGE", PENDING, "0", "-1"), ("LPUSH", PENDING, "a"), ("HGETALL", JOB)],
    "dashboard": [
        *(("LPUSH", PENDING, "a"), ("DEL", PENDING), ("HSET", JOB, "a", "b"), ("LPOP", PENDING)),
        *(("SET", "edworkers:{server}:once:a", "b"), ("XADD", "edworkers:{server}:deeds", "*", "d", "[]")),
    ],
    "server": [
        *(("LRANGE", "elsewhere", "0", "-1"), ("PUBLISH", "elsewhere", "a"), ("UNLINK", PENDING), ("INFO",)),
        *(
            ("RPOP", PENDING),
            ("BLMOVE", PENDING, PENDING, "LEFT", "LEFT", "1"),
            ("SUBSCRIBE", "edworkers:{work}:events"),
        ),
    ],
    "keeper": [("BLMOVE", PENDING, PENDING, "LEFT", "LEFT", "1"), ("SUBSCRIBE", "elsewhere")],
    "runner": [("ZREVRANGE", "elsewhere", "0", "-1"), ("PUBLISH", "elsewhere", "a")],
    "admin": [],
}


@pytest.mark.parametrize("user", [user.name for user in users()])
async def test_each_user_is_refused_what_it_doesnt_need(guarded: Guarded, user: str) -> None:
    client = guarded.client(user)
    await guarded.admin.lpush(PENDING, "a")
    for words in (*TOO_MUCH[user], *FOR_ADMINISTRATORS):
        with pytest.raises(NoPermissionError):
            await client.execute_command(*words)
    assert await guarded.admin.llen(PENDING) == 1


@pytest.mark.parametrize("user", ["keda", "dashboard"])
async def test_no_script_lets_a_reader_write(guarded: Guarded, user: str) -> None:
    with pytest.raises(redis.ResponseError, match=r"ACL failure|can.t run this command"):
        await guarded.client(user).eval("return redis.call('LPUSH', KEYS[1], 'a')", 1, PENDING)
    assert await guarded.admin.exists(PENDING) == 0


async def test_users_of_some_queues_have_no_others(
    programs: Programs, shell: CommandLine, guarded: Guarded, queue: Queue
) -> None:
    await _make_users(shell, guarded.admin, "--queue", "work", "--queue", "next")
    limits = [{"name": "few", "limit": 100, "window": "minute"}]
    await programs.runner(programs.manifest(limits=limits), **guarded.env("runner"))
    await queue.push({"id": "a", "data": {"do": "follow_up"}})
    await queue.becomes("a", State.DONE)
    assert await guarded.refused() == []
    with pytest.raises(NoPermissionError):
        await guarded.client("producer").lpush("edworkers:{other}:pending", "a")


async def test_a_runner_that_may_not_ask_for_the_settings_is_told_which_right_it_lacks(
    programs: Programs, guarded: Guarded
) -> None:
    await guarded.admin.execute_command("ACL", "SETUSER", "edworkers-runner", "-info")
    runner = await programs.start("run", "work", "--pool", str(programs.manifest()), **guarded.env("runner"))
    assert await runner.ended() == 3
    assert "allow it: ACL SETUSER edworkers-runner +info" in runner.text


async def test_every_right_is_a_command_of_redis(guarded: Guarded) -> None:
    names: Sequence[str] = sorted({command for user in users() for command in user.commands})
    known = await guarded.admin.execute_command("COMMAND", "INFO", *names)
    assert len(known) == len(names)
