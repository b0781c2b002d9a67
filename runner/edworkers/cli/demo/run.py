"""`edworkers demo`: real jobs go in by LPUSH; answers, retries and dead letters come out, and each is checked."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from edworkers.cli.demo.cases import Case, Scenario, make_scenario
from edworkers.cli.demo.check import Seen, is_over
from edworkers.cli.demo.outcome import Outcome, faults_of_whole, make_row
from edworkers.cli.demo.outputs.play import QUEUES, groups, write_files
from edworkers.cli.demo.outputs.step import Proof, Step, prove
from edworkers.cli.demo.show import Show
from edworkers.cli.demo.world import World, demo_pools, make_world
from edworkers.cli.local import stop_on_signals, unless_stopped
from edworkers.cli.local_server import serve_here, write_pools
from edworkers.ports import JobRecord

_DEADLINE_SECONDS = 240.0
_SECONDS_A_JOB = 0.5
_LOOK_SECONDS = 0.1
_FOLLOW_UP_SECONDS = 20.0
"""How long to wait for what comes by further jobs."""
_STOPPED = 130


def run_demo(*, jobs: int, keep: bool, as_json: bool) -> int:
    """Play the demo; returns 0 if every job ended as it should, else 1. Raises SettingsError when it can't start."""
    return asyncio.run(_run(jobs, Show(quiet=as_json), keep=keep, as_json=as_json))


async def _run(jobs: int, show: Show, *, keep: bool, as_json: bool) -> int:
    stop, began = stop_on_signals(), time.monotonic()
    pools = demo_pools(make_scenario("", jobs).questions)
    async with make_world(pools) as world:
        demo = Demo(world, make_scenario(world.inbox.url, jobs), show, began)
        with show.progress():
            outcome = await unless_stopped(stop, demo.play(_DEADLINE_SECONDS + _SECONDS_A_JOB * jobs))
        if outcome is None:
            show.say("stopped before its end")
            return _STOPPED
        show.outcome(outcome)
        if as_json:
            sys.stdout.write(json.dumps(outcome.as_json(), indent=2) + "\n")
            sys.stdout.flush()
        if keep:
            await _stay(world, show, stop)
    return 0 if outcome.is_well else 1


async def _stay(world: World, show: Show, stop: asyncio.Event) -> None:
    """Stay up with a dashboard, until stopped."""
    pools = world.folder / "pools.yaml"
    write_pools((world.folder / f"{queue}.yaml" for queue in world.queues), pools)
    async with serve_here(world.env, pools) as address:
        show.stays(world, address)
        await stop.wait()


class Demo:
    """The plot: what is pushed when, and what is waited for."""

    def __init__(self, world: World, scenario: Scenario, show: Show, began: float) -> None:
        self._world = world
        self._scenario = scenario
        self._show = show
        self._began = began
        self._seen: dict[str, Seen] = {}
        self._before_replay: dict[str, Seen] = {}
        self._proofs: list[Proof] = []

    async def play(self, deadline_seconds: float) -> Outcome:
        """Play all of it; what isn't over by the deadline is named in the outcome. Raises RunnerEndedError."""
        self._show.begins(self._world, self._scenario)
        try:
            async with asyncio.timeout(deadline_seconds):
                for act in (self._main_job, self._lost_runner, self._all_the_others, self._replay, self._outputs):
                    await act()
        except TimeoutError:
            return await self._outcome(f"not everything was over after {deadline_seconds:g} s")
        return await self._outcome()

    async def _main_job(self) -> None:
        main = self._scenario.main
        self._show.act("A question is pushed, and its answer comes by webhook")
        for queue in ("webhook", "ai"):
            await self._world.start_runner(queue, self._show.event)
        self._show.command(self._world, main)
        await self._push(main)
        await self._until_over([main])
        seen = self._seen[main.name]
        self._show.answer(seen)
        # With the secret, which was made up for this demo, and the bytes that are signed: anybody can verify it again.
        kept = [delivery.as_json() for delivery in seen.deliveries]
        told = json.dumps({"secret": self._world.env["WEBHOOK_SECRET"], "deliveries": kept}, indent=2)
        (self._world.place.folder / "delivery.json").write_text(told + "\n", encoding="utf-8")

    async def _lost_runner(self) -> None:
        killed = self._scenario.killed
        self._show.act("A runner is killed in the middle of a job; another takes it over when its lease ends")
        await self._push(killed)
        await self._until(lambda: self._world.has_been_asked(killed.prompt))
        runner = next(runner for runner in self._world.runners if runner.queue == "ai")
        await runner.kill()
        self._show.say(f"process {runner.pid} is killed (SIGKILL) while it works on {killed.name}")
        await self._world.start_runner("ai", self._show.event)

    async def _all_the_others(self) -> None:
        others, second, holder = self._scenario.others, self._scenario.second, self._scenario.holder
        self._show.act(f"{len(others) + 1} more jobs at once: good ones, malformed ones, and ones that fail")
        for case in others:
            await self._push(case)
        await self._until(lambda: self._world.has_been_asked(holder.prompt))
        await self._push(second)
        await self._until_over(self._scenario.all)
        await self._until_dropped()

    async def _replay(self) -> None:
        for case in (case for case in self._scenario.all if case.replayed is not None):
            self._show.act(f"A dead letter is replayed: {case.name}")
            self._before_replay[case.name] = self._seen.pop(case.name)
            await self._world.queues["ai"].control.replay(case.name)
            await self._until_over([case])

    async def _outputs(self) -> None:
        """Let the other queues make something, and look at each thing that they made."""
        write_files(self._world.place.folder)
        for queue in QUEUES:
            await self._world.start_runner(queue, self._show.event)
        async for title, steps in groups(self._world.place):
            self._show.act(title)
            for step in steps:
                await self._world.push_job(step.queue, step.job)
            for step in steps:
                proof = await self._prove(step)
                self._proofs.append(proof)
                self._show.proof(proof, self._world.place)

    async def _prove(self, step: Step) -> Proof:
        control = self._world.queues[step.queue].control
        found: list[JobRecord | None] = [None]

        async def is_over() -> bool:
            found[0] = await control.find(step.name)
            return found[0] is not None and found[0].state.is_final

        await self._poll(is_over)
        proof = await prove(step, self._world.place, found[0])
        deadline = time.monotonic() + _FOLLOW_UP_SECONDS
        while step.later and proof.ended_well and proof.wrong and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            proof = await prove(step, self._world.place, found[0])
        return proof

    async def _push(self, case: Case) -> None:
        await self._world.push(case)
        self._seen.update(await self._world.look([case]))

    async def _until_over(self, cases: Sequence[Case]) -> None:
        async def look() -> bool:
            waited_for = [case for case in cases if not self._is_over(case)]
            self._seen.update(await self._world.look(waited_for))
            self._show.status(sum(map(self._is_over, self._scenario.all)), len(self._scenario.all))
            return all(map(self._is_over, cases))

        await self._poll(look)

    def _is_over(self, case: Case) -> bool:
        return case.name in self._seen and is_over(case, self._seen[case.name])

    async def _until_dropped(self) -> None:
        async def look() -> bool:
            ai = (await self._world.depths())["ai"]
            nothing_left = ai.pending + ai.inflight + ai.delayed == 0
            return nothing_left or ai.totals.get("duplicate", 0) >= self._scenario.dropped

        await self._poll(look)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        async def look() -> bool:
            return is_so()

        await self._poll(look)

    async def _poll(self, look: Callable[[], Awaitable[bool]]) -> None:
        while not await look():
            for runner in self._world.runners:
                runner.check()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _outcome(self, *wrong: str) -> Outcome:
        """Look at everything once more, and compare."""
        world, scenario = self._world, self._scenario
        seen: Mapping[str, Seen] = await world.look([case for case in scenario.all if world.was_pushed(case)])
        depths, dead = await world.depths(), await world.dead()
        return Outcome(
            rows=tuple(
                make_row(case, seen.get(case.name), self._before_replay.get(case.name)) for case in scenario.all
            ),
            main=seen.get(scenario.main.name),
            dead=tuple(dead),
            depths=depths,
            usage=tuple(await world.queues["ai"].usage()),
            proofs=tuple(self._proofs),
            wrong=(*wrong, *faults_of_whole(scenario, self._proofs, depths, dead)),
            seconds=time.monotonic() - self._began,
        )
