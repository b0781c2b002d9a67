"""`edworkers queues`, `pause`, `resume` and `schema`, and what holds for all commands."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.command_line import MESSAGE, QUESTION, CommandLine, Jobs

from edworkers.adapters.redis.limiter import RedisLimiter
from edworkers.compose import SystemClock
from edworkers.handlers.ai.generate import POOL as AI
from edworkers.handlers.registry import PLATFORM
from edworkers.standins import redis as redis_standin
from edworkers.standins.free_port import free_port

GIVEN = {"queue": "ai", "handlers": "edworkers.handlers.ai", "limits": [{"name": "day", "limit": 9, "window": "day"}]}
OWN = {"queue": "own", "handlers": "not.installed.here"}


@pytest.fixture
def shell(tmp_path: Path, redis_url: str) -> CommandLine:
    return CommandLine(tmp_path, redis_url)


@pytest.fixture
async def jobs(redis_url: str) -> AsyncGenerator[Jobs]:
    made = Jobs(redis_url, "webhook")
    yield made
    await made.close()


OTHERS = [queue for queue in PLATFORM if queue != "ai"]


async def _overview(shell: CommandLine, queue: str, *words: str, **env: str) -> Any:
    ran = await shell.run("queues", "--json", *words, stdin=b"", **env)
    assert ran.code == 0
    [found] = [overview for overview in ran.document["queues"] if overview["queue"] == queue]
    return found


def _manifest(spec: dict[str, Any]) -> str:
    return json.dumps({"apiVersion": "edworkers.dev/v1alpha1", "kind": "WorkerPool", "spec": spec})


async def test_queues_count_where_jobs_are_and_what_became_of_them(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.done("a", 1)
    await jobs.dead("b")
    await jobs.push("c", MESSAGE)
    await jobs.begin("c")
    await jobs.push("d", MESSAGE)
    seen = await _overview(shell, "webhook")
    assert [seen[name] for name in ("pending", "inflight", "delayed", "dead")] == [1, 1, 0, 1]
    assert (seen["totals"]["ack"], seen["totals"]["bury"]) == (1, 1)
    assert (seen["paused"], seen["throttled"], seen["gateSeconds"], seen["limits"]) == (False, False, 0, [])


async def test_queues_show_what_is_used_of_limits_as_the_environment_sets_them(shell: CommandLine, jobs: Jobs) -> None:
    await RedisLimiter(jobs.client, "ai", AI.limits, runner="r", now=SystemClock().now).reserve(7)
    limits = {use["window"]: use for use in (await _overview(shell, "ai", GEMINI_DAILY_LIMIT="50"))["limits"]}
    assert {name: (use["used"], use["limit"]) for name, use in limits.items()} == {
        "minute": (7, 60),
        "day": (7, 50),
        "month": (7, 45_000),
    }
    assert limits["day"]["resetsAt"].endswith(":00:00.000Z")
    shown = (await shell.run("queues")).out
    assert "day 7/1333 (resets in " in shown


async def test_queues_of_a_manifest_are_shown_beside_the_platforms_and_over_them(
    shell: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "pools.yaml").write_text(f"{_manifest(GIVEN)}\n---\n{_manifest(OWN)}\n")
    ran = await shell.run("queues", "--pool", "pools.yaml", "--json")
    assert {overview["queue"]: len(overview["limits"]) for overview in ran.document["queues"]} == {
        **dict.fromkeys(PLATFORM, 0),
        "ai": 1,
        "own": 0,
    }
    assert "not.installed.here: there is no such module" in ran.err
    assert (await _overview(shell, "ai", EDWORKERS_POOL=json.dumps(GIVEN)))["limits"][0]["limit"] == 9


async def test_queues_that_are_named_are_shown_and_no_others(shell: CommandLine) -> None:
    ran = await shell.run("queues", "webhook", "--json")
    assert [overview["queue"] for overview in ran.document["queues"]] == ["webhook"]
    ran = await shell.run("queues", "webhook", "a1", "a2")
    assert (ran.code, ran.out, "'a1'" in ran.err, "'a2'" in ran.err) == (2, "", True, True)


async def test_a_queue_that_cannot_be_read_hides_no_other(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.push("a", MESSAGE)
    await jobs.client.set("edworkers:{ai}:pending", "x")
    ran = await shell.run("queues")
    assert (ran.code, [line.split("\t")[0] for line in ran.out.splitlines()]) == (
        3,
        ["queue", *OTHERS],
    )
    [fault] = [line for line in ran.err.splitlines() if "ai: " in line]
    assert "and delete it" in fault
    ran = await shell.run("queues", "--json")
    seen = {seen["queue"]: seen["pending"] for seen in ran.document["queues"]}
    assert (ran.code, seen, len(ran.error["faults"])) == (3, {**dict.fromkeys(OTHERS, 0), "webhook": 1}, 1)
    assert (await shell.run("queues", "webhook")).code == 0


async def test_when_no_queue_can_be_read_one_message_says_why(shell: CommandLine, jobs: Jobs) -> None:
    for queue in PLATFORM:
        await jobs.client.set(f"edworkers:{{{queue}}}:pending", "x")
    ran = await shell.run("queues", "--json")
    assert (ran.code, ran.out, "holds another type" in ran.error["error"]) == (3, "", True)


@pytest.mark.parametrize("words", [("queues", "webhook"), ("enqueue", "webhook", json.dumps(MESSAGE))])
async def test_a_key_of_another_type_is_told_with_what_to_do(
    shell: CommandLine, jobs: Jobs, words: tuple[str, ...]
) -> None:
    await jobs.client.set("edworkers:{webhook}:pending", "x")
    ran = await shell.run(*words)
    assert ran.code == 3
    assert "redis-cli --scan --pattern 'edworkers:{QUEUE}:*' and TYPE, and delete it" in ran.err


async def test_groups_that_wait_for_a_limit_or_a_service_are_counted(shell: CommandLine, jobs: Jobs) -> None:
    assert "groupsShut" in await _overview(shell, "webhook")
    await jobs.client.zadd("edworkers:{webhook}:shut", {"a": 1e15})
    assert "webhook\topen, 1 group waits for a limit or a service\t" in (await shell.run("queues")).out
    await jobs.client.zadd("edworkers:{webhook}:shut", {"b": 1e15, "c": 1e15})
    assert "webhook\topen, 3 groups wait for a limit or a service\t" in (await shell.run("queues")).out
    assert (await _overview(shell, "webhook"))["groupsShut"] == 3


async def test_users_are_made_for_nothing_that_is_no_queue(shell: CommandLine) -> None:
    ran = await shell.run("acl", "--queue", "Own", "--queue", "own", "--queue", "a}:* ~*", "--json")
    assert (ran.code, ran.out) == (2, "")
    assert "'Own', 'a}:* ~*': the name of a queue is a small letter" in ran.error["error"]


async def test_a_queue_is_paused_and_resumed_once(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.push("a", MESSAGE)
    assert (await shell.run("pause", "webhook"))[:2] == (0, "paused webhook\n")
    assert (await jobs.queue.cycle((), (), 1)).deliveries == ()
    assert (await shell.run("pause", "webhook"))[:2] == (0, "webhook was paused already\n")
    assert "webhook\tpaused\t1" in (await shell.run("queues")).out
    resumed = await shell.run("resume", "webhook", "--json")
    assert resumed.document == {"queue": "webhook", "paused": False, "changed": True}
    assert (await shell.run("resume", "webhook"))[:2] == (0, "webhook was not paused\n")
    assert len((await jobs.queue.cycle((), (), 1)).deliveries) == 1


async def test_a_schema_is_printed_without_redis(shell: CommandLine) -> None:
    ran = await shell.run("schema", "ai", REDIS_URL="redis://127.0.0.1:1/0")
    assert ran.code == 0
    assert {"conversationId", "prompt"} <= ran.document["$defs"]["AiData"]["properties"].keys()


@pytest.mark.parametrize(
    "words",
    [
        ("enqueue", "ai", json.dumps(QUESTION)),
        ("enqueue", "ai", "--lines"),
        ("status", "x"),
        ("result", "x", "--wait"),
        ("cancel", "ai", "x"),
        ("dead", "list", "ai"),
        ("dead", "show", "ai", "x"),
        ("dead", "replay", "ai", "x", "--yes"),
        ("dead", "drop", "ai", "--all", "--yes"),
        ("pause", "ai"),
        ("resume", "ai"),
        ("queues",),
    ],
    ids=" ".join,
)
async def test_a_redis_that_is_away_is_an_error_at_once(shell: CommandLine, words: tuple[str, ...]) -> None:
    url = f"redis://:secret@127.0.0.1:{free_port()}/0"
    ran = await shell.run(*words, "--json", stdin=json.dumps(QUESTION).encode(), REDIS_URL=url)
    assert (ran.code, ran.out) == (3, "")
    assert any(url.replace(":secret", "***") in fault for fault in ran.error["faults"])
    assert "secret" not in ran.err


async def test_a_wrong_password_is_told_as_such(tmp_path: Path) -> None:
    async with redis_standin.serve(options={"requirepass": "right"}) as server:
        ran = await CommandLine(tmp_path, server.url.replace(":right@", ":wrong@")).run("queues")
    assert ran.code == 3
    assert "check user and password" in ran.err
    assert "wrong@" not in ran.err


async def test_an_unknown_queue_names_those_there_are(shell: CommandLine) -> None:
    ran = await shell.run("pause", "a1")
    assert ran.code == 2
    assert "there are: ai, webhook, document" in ran.err


async def test_several_faults_of_the_settings_are_named_at_once(shell: CommandLine) -> None:
    ran = await shell.run("pause", "a1", "--json", REDIS_URL="", REDIS_PORT="x")
    assert (ran.code, ran.out) == (2, "")
    assert ["a1" in ran.error["faults"][0], "REDIS_PORT" in ran.error["faults"][1]] == [True, True]
    logs = await shell.run("--log-level", "loud", "queues", "--json", EDWORKERS_LOG_FORMAT="xml")
    assert (logs.code, len(logs.error["faults"])) == (2, 2)


async def test_a_manifest_that_does_not_serve_the_queue_says_which_it_serves(
    shell: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "own.yaml").write_text(_manifest(OWN))
    ran = await shell.run("pause", "ai", "--pool", "own.yaml")
    assert ran.code == 2
    assert "serves 'own'" in ran.err
    assert (await shell.run("pause", "own", "--pool", "own.yaml")).code == 0


async def test_a_command_that_does_not_exist_is_a_usage_error(shell: CommandLine) -> None:
    ran = await shell.run("nonsense", "--json")
    assert ran.code == 2
    assert "nonsense" in ran.error["error"]


async def test_a_reader_that_goes_away_is_no_crash(shell: CommandLine) -> None:
    process = await shell.start("schema", "ai")
    assert process.stdout is not None
    process.stdout._transport.close()  # type: ignore[attr-defined]
    assert process.stderr is not None
    assert b"Traceback" not in await process.stderr.read()
    await process.wait()


async def test_a_table_of_queues_is_drawn_on_a_terminal(shell: CommandLine) -> None:
    code, shown = await shell.on_terminal("queues", columns=140)
    assert code == 0
    assert b"webhook   " in shown
