"""Conducts a chaos run: processes, producers and faults go on side by side until every job has come to its end."""

import asyncio
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from tests.chaos.crew import Crew
from tests.chaos.faults import Faults, amounts
from tests.chaos.jobs import draw_jobs
from tests.chaos.producer import Producer
from tests.chaos.promise import FAIR, PLAIN, Bounds
from tests.chaos.proxy import Proxy
from tests.chaos.watch import NEXT, WORK, Watch

from edworkers.standins.redis import RedisServer

_LOOK_SECONDS = 0.25
_MOST_WAITING = 400


@dataclass(frozen=True, slots=True)
class Options:
    """How large a run is."""

    jobs: int
    kills: int
    seed: int
    fair: bool = True
    """Whether the queue has groups: each kind of queue has its own ways to claim a job, take it back and return it."""
    runners: int = 6
    keepers: int = 3
    slots: int = 4
    """Of each runner: so few that jobs have to wait, which they must if they are to be lost."""
    lease_seconds: float = 2
    gap_seconds: float = 0.7
    """About how long it is from fault to fault."""
    patience_seconds: float = 180
    """After so long without any job's coming to its end, what is left is lost."""

    @property
    def bounds(self) -> Bounds:
        """What the pool allows."""
        return FAIR if self.fair else PLAIN


class StalledError(Exception):
    """Jobs are left, and nobody works on them."""


def _manifest(folder: Path, queue: str, options: Options, bounds: Bounds) -> Path:
    spec: dict[str, Any] = {
        "queue": queue,
        "handlers": "handlers_for_chaos",
        "concurrency": options.slots,
        "leaseSeconds": options.lease_seconds,
        "job": {"timeoutSeconds": 900, "maxAttempts": bounds.max_attempts, "maxDeliveries": bounds.max_deliveries}
        | {"backoff": {"initialSeconds": 0.2, "maxSeconds": 2}},
    }
    if bounds.group_inflight is not None:
        spec["groups"] = {"maxInflight": bounds.group_inflight}
    path = folder / f"{queue}.yaml"
    path.write_bytes(to_json({"apiVersion": "edworkers.dev/v1alpha1", "kind": "WorkerPool", "spec": spec}))
    return path


class Chaos:
    """One run, with what it is made of."""

    def __init__(self, options: Options, folder: Path, server: RedisServer, proxy: Proxy, proxy_url: str) -> None:
        self.options = options
        self.folder = folder
        self.server = server
        self.proxy = proxy
        rng = random.Random(options.seed)
        env = {"REDIS_URL": proxy_url, "CHAOS_LEDGER": str(folder)}
        self.crew = Crew(folder, env, random.Random(rng.random()))
        self.producer = Producer(server.url, proxy_url, WORK)
        self.faults = Faults(
            self.crew,
            proxy,
            server,
            rng=random.Random(rng.random()),
            lease_seconds=options.lease_seconds,
            queue=WORK,
        )
        self.rng = rng
        self.jobs = draw_jobs(options.jobs, random.Random(rng.random()), lambda: time.time_ns() // 1_000_000)
        self.leftovers: list[str] = []
        self.watch, self._stall_watch = Watch(server.url), Watch(server.url)
        self._step = 0
        self._stepped = asyncio.Condition()
        self._steps = 1

    async def run(self) -> None:
        """Work, and be hurt, until every job has come to its end.

        Raises StalledError, in a group of exceptions.
        """
        work = _manifest(self.folder, WORK, self.options, self.options.bounds)
        following = _manifest(self.folder, NEXT, self.options, PLAIN)
        self.crew.keep("runner", ("run", WORK, "--pool", str(work)), self.options.runners)
        self.crew.keep("next", ("run", NEXT, "--pool", str(following)), 1)
        pools = self.folder / "pools.yaml"
        pools.write_bytes(work.read_bytes() + b"\n---\n" + following.read_bytes())
        self.crew.keep("keeper", ("keeper", "--pools", str(pools)), self.options.keepers)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch_for_a_stall())
            await self._work()
            watching.cancel()
        self.leftovers = await self.watch.leftovers()

    async def _work(self) -> None:
        first, second = amounts(self.options.kills)
        tracks = (self.faults.draw(first), self.faults.draw(second))
        self._steps = len(tracks[0])
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hurt(tracks[0]))
            group.create_task(self._hurt_redis(tracks[1]))
        await self.faults.heal()
        await self._until_left(0)
        await self.crew.dismiss()

    async def _hurt(self, names: list[str]) -> None:
        """Push a part of the jobs before each fault, so that there is work as long as there are faults."""
        jobs = self.options.jobs
        for step, name in enumerate(names):
            part = (step + 1) * jobs // self._steps - step * jobs // self._steps
            await self.producer.push([next(self.jobs) for _ in range(part)])
            # Behind a long line, what comes back would be long in coming: slow runners are let catch up.
            await self._until_left(_MOST_WAITING)
            await asyncio.sleep(self.options.gap_seconds * self.rng.uniform(0.5, 1.5))
            await self.faults.go_on(name)
            await self._note_step()

    async def _note_step(self) -> None:
        async with self._stepped:
            self._step += 1
            self._stepped.notify_all()
        if self._step % (self._steps // 10 or 1) == 0:
            pushed = len(self.producer.pushed)
            sys.stderr.write(f"{self._step} of {self._steps} faults, {pushed} of {self.options.jobs} jobs\n")

    async def _hurt_redis(self, names: list[str]) -> None:
        """Keep step with the other track, so that the two meet anywhere."""
        for at, name in enumerate(names):
            await self._until_step((at + 0.5) * self._steps / len(names))
            await self.faults.go_on(name)

    async def _until_step(self, step: float) -> None:
        async with self._stepped:
            await self._stepped.wait_for(lambda: self._step >= step)

    async def _until_left(self, most: int) -> None:
        """Wait until at most so many jobs haven't ended; for 0, also until all cancellations are answered."""
        while True:
            left, _ = await self.watch.left()
            if left <= most and (most or self.producer.is_done):
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _watch_for_a_stall(self) -> None:
        seen: list[int] = []
        changed_at = time.monotonic()
        while True:
            _, ended = await self._stall_watch.left()
            if ended and ended != seen:
                seen, changed_at = ended, time.monotonic()
            elif time.monotonic() - changed_at > self.options.patience_seconds:
                raise StalledError(f"no job has ended for long, and this is left: {await self._stall_watch.where()}")
            await asyncio.sleep(_LOOK_SECONDS)

    async def close(self) -> None:
        """End whatever still runs."""
        await self.faults.close()
        await self.producer.close()
        await self.crew.kill()
        await self.watch.close()
        await self._stall_watch.close()
