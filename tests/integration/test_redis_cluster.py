"""A Redis Cluster: queues on several of its nodes, every way that a job may go, a failover, a slot that moves."""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.command_line import CommandLine
from tests.integration.processes import Programs, Queue, eventually
from tests.integration.redis_kinds import KILL, Cluster, QueueOf, ask_port, serve_cluster
from tests.integration.steady_producer import Producer

from edworkers.adapters.redis.routes import Routes
from edworkers.adapters.redis.whereabouts import slot_of
from edworkers.core.keys import LimiterKeys
from edworkers.core.lifecycle import State
from edworkers.ports import Enqueue

pytestmark = pytest.mark.timeout(120)

LIMITS = [{"name": "few", "limit": 500, "window": "minute"}]
QUICK = {"backoff": {"initialSeconds": 0.05}}


@pytest.fixture
async def cluster() -> AsyncGenerator[Cluster]:
    async with serve_cluster() as served:
        yield served


@pytest.fixture
async def replicated() -> AsyncGenerator[Cluster]:
    # So that a master that fails holds up no queue but its own.
    async with serve_cluster(replicas=True, options={"cluster-require-full-coverage": "no"}) as served:
        yield served


class OnCluster:
    """Queues of a cluster, one on each of its masters."""

    def __init__(self, cluster: Cluster, side_effects_url: str) -> None:
        self.cluster = cluster
        self._url = side_effects_url
        self._opened: dict[str, QueueOf] = {}

    def __getitem__(self, name: str) -> QueueOf:
        if name not in self._opened:
            self._opened[name] = QueueOf(self.cluster.address, self._url, name)
        return self._opened[name]

    @property
    def others(self) -> list[str]:
        """Queues on masters that don't have `next`."""
        return [name for name in self.cluster.queues() if name != "next"]

    async def close(self) -> None:
        for queue in self._opened.values():
            await queue.close()


@pytest.fixture
async def queues(cluster: Cluster, redis_url: str) -> AsyncGenerator[OnCluster]:
    opened = OnCluster(cluster, redis_url)
    yield opened
    await opened.close()


async def _runners(programs: Programs, cluster: Cluster, names: list[str], **spec: Any) -> list[Any]:
    return [await programs.runner(programs.manifest(name, **spec), **cluster.env) for name in names]


async def test_jobs_go_every_way_on_queues_of_three_nodes(programs: Programs, queues: OnCluster) -> None:
    names = queues.cluster.queues()
    assert len({(await queues.cluster.master_of(name)).port for name in names}) == 3
    await _runners(programs, queues.cluster, names, concurrency=4, limits=LIMITS, job={"maxAttempts": 2})
    for name in names:
        queue = queues[name]
        await queue.push({"id": "plain", "data": {}}, {"id": name, "data": {"do": "follow_up"}}, b"no JSON")
        await queue.control.enqueue([Enqueue("late", b'{"id":"late","data":{}}', due=1)])
        await queue.becomes("plain", State.DONE)
        await queue.becomes(name, State.DONE)
        await queue.becomes("late", State.DONE)

        async def buried(queue: Queue = queue) -> bool:
            return (await queue.depths()).dead == 1

        await eventually(buried)

    # `next` has been sent a job by each queue, and has had its own three.
    async def all_followed() -> bool:
        return (await queues["next"].depths()).totals["ack"] == 6

    await eventually(all_followed)


async def test_limits_are_counted_on_a_node_of_their_own(programs: Programs, queues: OnCluster) -> None:
    name = next(
        name
        for name in (f"limited-{n}" for n in range(99))
        if slot_of(f"{{{name}}}") // 5462 != _of_limit(name) // 5462
    )
    assert await queues.cluster.master_of(name) != await queues.cluster.master_of(f"limit:{name}")
    await _runners(programs, queues.cluster, [name], limits=[{"name": "two", "limit": 2, "window": "month"}])
    await queues[name].push(*({"id": f"job-{n}", "data": {}} for n in range(3)))
    await queues[name].told(4)

    async def closed() -> bool:
        return (await queues[name].depths()).throttled

    await eventually(closed)
    assert (await queues[name].depths()).pending == 1


def _of_limit(name: str) -> int:
    return slot_of(LimiterKeys(name).used)


async def test_jobs_are_retried_buried_replayed_and_cancelled(programs: Programs, queues: OnCluster) -> None:
    queue = queues[queues.others[0]]
    await _runners(programs, queues.cluster, [queue.name], concurrency=4, job={"maxAttempts": 2, **QUICK})
    await queue.push({"id": "twice", "data": {"do": "fail", "times": 1}})
    assert (await queue.becomes("twice", State.DONE)).attempts == 2
    await queue.push({"id": "never", "data": {"do": "fail", "times": 3}})
    await queue.becomes("never", State.DEAD)
    assert [record.id for record in await queue.control.dead(0, 9)] == ["never"]
    assert await queue.control.replay("never")
    await queue.becomes("never", State.DEAD)
    assert await queue.control.drop("never")

    await queue.push({"id": "long", "data": {"do": "sleep", "seconds": 600}})
    await queue.becomes("long", State.INFLIGHT)
    assert await queue.control.cancel("long") == "requested"
    await queue.becomes("long", State.CANCELLED)


async def test_jobs_of_a_killed_runner_are_run_by_another(programs: Programs, queues: OnCluster) -> None:
    queue = queues[queues.others[1]]
    manifest = programs.manifest(queue.name, leaseSeconds=1)
    killed = await programs.runner(manifest, **queues.cluster.env)
    await queue.push({"id": "a", "data": {"do": "sleep", "seconds": 600}})
    await queue.began()
    await killed.kill()
    await programs.runner(manifest, **queues.cluster.env)
    assert (await queue.began())[0] == "a"


async def test_a_keeper_serves_queues_on_every_node(programs: Programs, queues: OnCluster) -> None:
    names = queues.cluster.queues()
    pools = programs.folder / "pools.yaml"
    pools.write_text("---\n".join(programs.manifest(name).read_text() + "\n" for name in names))
    keeper = await programs.start("keeper", "--pools", str(pools), **queues.cluster.env)
    await keeper.says("keeper.started")
    for name in names:
        soon = (await queues[name].client.time())[0] * 1000 + 500
        assert await queues[name].control.enqueue([Enqueue("late", b"{}", due=soon)]) == [True]

        async def promoted(queue: Queue = queues[name]) -> bool:
            return (await queue.depths()).pending == 1

        await eventually(promoted)


async def test_a_runner_has_one_connection_to_each_node_that_it_needs_and_one_to_wait_by(
    programs: Programs, queues: OnCluster
) -> None:
    queue = queues[queues.others[0]]
    before = await _connections(queues.cluster)
    await _runners(programs, queues.cluster, [queue.name], limits=LIMITS)
    await queue.push(*({"id": f"job-{n}", "data": {"do": "follow_up", "quiet": True}} for n in range(20)))
    for n in range(20):
        await queue.becomes(f"job-{n}", State.DONE)
    reader = queues["next"]

    async def forwarded() -> bool:
        return (await reader.depths()).pending == 20

    await eventually(forwarded)
    await queues.close()
    # What asks for the slots is open only now and then.
    needed = 1 + len({await queues.cluster.master_of(name) for name in (queue.name, "next", f"limit:{queue.name}")})

    async def few() -> bool:
        return await _connections(queues.cluster) - before == needed

    await eventually(few)


async def _connections(cluster: Cluster) -> int:
    """Count the connections that clients have to all nodes."""
    lists = [(await ask_port(server.port, "CLIENT", "LIST")).decode() for server in cluster.masters]
    return sum(len(text.splitlines()) for text in lists)


async def test_the_command_line_finds_each_queue(tmp_path: Path, queues: OnCluster, redis_url: str) -> None:
    shell = CommandLine(tmp_path, redis_url)
    env = queues.cluster.env
    question = '{"url": "https://school.example/hooks", "event": "e", "payload": {}}'
    assert (await shell.run("enqueue", "webhook", question, "--id", "one", stdin=b"", **env)).code == 0
    assert (await shell.run("enqueue", "webhook", question, "--id", "one", "--once", stdin=b"", **env)).code == 0
    assert (await shell.run("status", "webhook", "one", "--json", stdin=b"", **env)).document["state"] == "pending"
    ran = await shell.run("queues", "--json", stdin=b"", **env)
    pending = {overview["queue"]: overview["pending"] for overview in ran.document["queues"]}
    assert (ran.code, pending["webhook"], pending["ai"]) == (0, 1, 0)
    assert (await shell.run("pause", "webhook", stdin=b"", **env)).code == 0
    assert (await shell.run("resume", "webhook", stdin=b"", **env)).code == 0
    assert (await shell.run("cancel", "webhook", "one", stdin=b"", **env)).code == 0
    assert (await shell.run("dead", "list", "webhook", "--json", stdin=b"", **env)).code == 0
    assert (await shell.run("result", "webhook", "nothing", stdin=b"", **env)).code != 0


async def test_commands_say_which_variable_names_a_cluster_that_is_away(tmp_path: Path, redis_url: str) -> None:
    ran = await CommandLine(tmp_path, redis_url).run("queues", REDIS_URL="", REDIS_NODES="127.0.0.1:1,127.0.0.1:2")
    assert ran.code != 0
    assert "check that it runs at the cluster of 127.0.0.1:1, 127.0.0.1:2; REDIS_NODES sets where it is" in ran.err


async def test_a_master_that_would_delete_keys_is_refused_and_named(programs: Programs, cluster: Cluster) -> None:
    evicting = cluster.masters[2]
    await ask_port(evicting.port, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    runner = await programs.start("run", "work", "--pool", str(programs.manifest()), **cluster.env)
    assert await runner.ended() != 0
    assert f"127.0.0.1:{evicting.port}: this Redis deletes keys when its memory is full" in runner.text


async def test_a_failover_under_load_loses_nothing_that_was_replicated(
    programs: Programs, replicated: Cluster, redis_url: str
) -> None:
    queues = OnCluster(replicated, redis_url)
    name = queues.others[0]
    idle = queues["next"]
    runners = await _runners(programs, replicated, [name, "next"], leaseSeconds=3, concurrency=8)
    producer = Producer(queues[name], replicated.address)
    await producer.pushes(200)
    killed = await replicated.master_of(name)
    await killed.stop(KILL)
    await replicated.fails_over(name, killed)
    await killed.start()  # as a replica of the one that took its place: without one, nothing is safe
    await producer.pushes(200)
    await producer.stop()
    await producer.sees_all_done()
    await runners[0].says("redis.back")
    assert not runners[1].seen("redis.away")
    await idle.push({"id": "still", "data": {}})
    await idle.becomes("still", State.DONE)
    await queues.close()


async def test_queues_of_a_master_that_is_away_hide_no_others(
    tmp_path: Path, queues: OnCluster, redis_url: str
) -> None:
    names = queues.cluster.queues()
    gone = next(name for name in names if name != "next")
    kept = {await queues.cluster.master_of(name) for name in names} - {await queues.cluster.master_of(gone)}
    for server in kept:  # so that these answer without the third
        await ask_port(server.port, "CONFIG", "SET", "cluster-require-full-coverage", "no")
    spec = {"apiVersion": "edworkers.dev/v1alpha1", "kind": "WorkerPool"}
    pools = [{**spec, "spec": {"queue": name, "handlers": "edworkers.handlers.webhook"}} for name in names]
    (tmp_path / "pools.yaml").write_text("\n---\n".join(json.dumps(pool) for pool in pools))
    await (await queues.cluster.master_of(gone)).stop(KILL)
    ran = await CommandLine(tmp_path, redis_url).run(
        "queues", *names, "--pool", "pools.yaml", "--json", stdin=b"", **queues.cluster.env
    )
    assert (ran.code, [seen["queue"] for seen in ran.document["queues"]]) == (3, [n for n in names if n != gone])
    [fault] = ran.error["faults"]
    assert fault.startswith(f"{gone}: ")


async def test_a_slot_that_moves_under_load_is_followed(programs: Programs, queues: OnCluster) -> None:
    queue = queues[queues.others[0]]
    source = await queues.cluster.master_of(queue.name)
    to = await queues.cluster.master_of("next")
    (runner,) = await _runners(programs, queues.cluster, [queue.name], leaseSeconds=600, concurrency=8)
    ids = [f"job-{number}" for number in range(300)]
    await queue.push(*({"id": job_id, "data": {}} for job_id in ids))
    taken = await queue.told(100)
    async for _ in queues.cluster.move(slot_of(queue.key("pending")), source, to):
        await asyncio.sleep(0)
    assert await queues.cluster.master_of(queue.name) is to
    await queue.client.connection_pool.disconnect()
    await eventually(queue.is_empty)
    told = [*taken, *await queue.all_told()]
    assert Counter(words[1] for words in told if words[0] == "end") == Counter(ids)
    await queue.push({"id": "last", "data": {}})
    await queue.becomes("last", State.DONE)
    await runner.says("redis.back")
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0


async def test_a_producer_is_told_where_the_queue_has_gone(queues: OnCluster) -> None:
    queue = queues[queues.others[0]]
    await queue.push({"id": "before", "data": {}})
    await queue.depths()
    source, to = await queues.cluster.master_of(queue.name), await queues.cluster.master_of("next")
    async for _ in queues.cluster.move(slot_of(queue.key("pending")), source, to):
        pass
    assert await queue.control.enqueue([Enqueue("after", b"{}")]) == [True]
    assert (await queue.depths()).pending == 2


async def test_calls_to_other_nodes_go_on_while_one_is_frozen(queues: OnCluster) -> None:
    frozen, other, _ = queues.cluster.queues()
    routes = Routes(queues.cluster.address)
    for name in (frozen, other):
        await routes.execute_command("SET", f"{{{name}}}", "x")
    server = await queues.cluster.master_of(frozen)
    os.kill(server.pid, signal.SIGSTOP)
    waiting = asyncio.create_task(routes.execute_command("GET", f"{{{frozen}}}"))
    assert await routes.execute_command("GET", f"{{{other}}}") == b"x"
    assert not waiting.done()
    os.kill(server.pid, signal.SIGCONT)
    assert await waiting == b"x"
    await routes.close()


async def test_first_calls_for_a_key_are_sent_in_their_order(queues: OnCluster) -> None:
    for round_of in range(20):
        client = Routes(queues.cluster.address)
        key = f"{{round-{round_of}}}:calls"
        await asyncio.gather(*(client.execute_command("RPUSH", key, number) for number in range(5)))
        assert await client.execute_command("LRANGE", key, 0, -1) == [b"0", b"1", b"2", b"3", b"4"]
        await client.close()
