"""One active operator: the Lease, as several see it that would like to hold it, on clocks that the test drives."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.virtual_time import VirtualLoop

from edworkers_operator.cluster import ClusterError, Manifest
from edworkers_operator.leader import (
    END_SECONDS,
    LEASE_SECONDS,
    RENEW_SECONDS,
    RETRY_SECONDS,
    Lease,
    LeaseLostError,
    lead,
)


class ApiServer:
    """The few verbs on a Lease, with versions, on the loop's own clock; it can be away, or slow."""

    def __init__(self) -> None:
        self.lease: Manifest | None = None
        self.written_at = 0.0
        self.version = 0
        self.is_away = False
        self.seconds = 0.0
        """How long an answer takes; what is asked is done at once."""
        self.late_seconds = 0.0
        """How much longer it takes for what was written."""

    async def _answer(self) -> None:
        await asyncio.sleep(self.seconds)
        if self.is_away:
            raise ClusterError(0, "the API server can't be reached")

    def _write(self, manifest: Manifest) -> None:
        self.version += 1
        self.written_at = asyncio.get_running_loop().time()
        self.lease = deepcopy(manifest)
        self.lease["metadata"]["resourceVersion"] = str(self.version)

    async def get(self, _version: str, _kind: str, _namespace: str | None, _name: str) -> Manifest | None:
        found = None if self.is_away else deepcopy(self.lease)
        await self._answer()
        return found

    async def create(self, manifest: Manifest) -> None:
        if not self.is_away:
            if self.lease is not None:
                raise ClusterError(409, "already exists")
            self._write(manifest)
        await asyncio.sleep(self.late_seconds)
        await self._answer()

    async def replace(self, manifest: Manifest) -> None:
        if not self.is_away:
            if (
                self.lease is None
                or self.lease["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]
            ):
                raise ClusterError(409, "the object has been modified")
            self._write(manifest)
        await asyncio.sleep(self.late_seconds)
        await self._answer()

    @property
    def holder(self) -> str:
        assert self.lease is not None
        return str(self.lease["spec"]["holderIdentity"])


class Network:
    """The way of one operator to the API server, which can break for it alone."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self.is_broken = False

    def __getattr__(self, verb: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def call(*args: Any) -> Any:
            if self.is_broken:
                raise ClusterError(0, "no route to host")
            return await getattr(self._server, verb)(*args)

        return call


class Contender:
    """An operator that works for as long as it leads."""

    def __init__(self, server: ApiServer, name: str) -> None:
        self.name = name
        self.network = Network(server)
        self.is_active = False
        self.ended: BaseException | None = None
        self._task: asyncio.Task[None] | None = None

    async def _work(self) -> None:
        self.is_active = True
        try:
            await asyncio.Event().wait()
        finally:
            self.is_active = False

    async def _lead(self) -> None:
        loop = asyncio.get_running_loop()
        cluster: Any = self.network
        lease = Lease(cluster, "operator", "edworkers", self.name, loop.time)
        try:
            await lead(lease, self._work)
        except LeaseLostError as error:
            self.ended = error

    def start(self) -> None:
        self.ended = None
        self._task = asyncio.create_task(self._lead())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    @property
    def has_ended(self) -> bool:
        return self._task is None or self._task.done()


@asynccontextmanager
async def contest(names: str) -> AsyncGenerator[tuple[ApiServer, list[Contender]]]:
    server = ApiServer()
    contenders = [Contender(server, name) for name in names]
    try:
        yield server, contenders
    finally:
        for contender in contenders:
            await contender.stop()


def in_virtual_time(story: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story)


async def until(condition: Callable[[], bool], longest: float) -> float:
    """Let time pass until it is so; returns how long that took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not condition():
        assert loop.time() - began < longest, "it never came to that"
        await asyncio.sleep(0.1)
    return loop.time() - began


def test_the_first_takes_the_lease_and_the_second_waits() -> None:
    async def story() -> None:
        async with contest("ab") as (server, (one, two)):
            one.start()
            await until(lambda: one.is_active, 1)
            two.start()
            await asyncio.sleep(500)
            assert (one.is_active, two.is_active, server.holder) == (True, False, "a")
            assert server.lease is not None
            assert server.lease["spec"]["leaseTransitions"] == 1

    in_virtual_time(story())


def test_one_that_is_stopped_lets_another_take_over_at_once() -> None:
    async def story() -> None:
        async with contest("ab") as (server, (one, two)):
            one.start()
            await until(lambda: one.is_active, 1)
            two.start()
            await asyncio.sleep(60)
            await one.stop()
            assert server.holder == ""
            assert await until(lambda: two.is_active, 60) <= RETRY_SECONDS + 0.2

    in_virtual_time(story())


def test_one_that_vanishes_is_followed_only_after_the_whole_lease() -> None:
    async def story() -> None:
        async with contest("ab") as (server, (one, two)):
            one.start()
            await until(lambda: one.is_active, 1)
            two.start()
            await asyncio.sleep(60)
            written_at = server.written_at
            one.network.is_broken = True
            await until(lambda: two.is_active, 60)
            taken_after = asyncio.get_running_loop().time() - written_at
            assert LEASE_SECONDS < taken_after <= LEASE_SECONDS + 2 * RETRY_SECONDS + 0.2

    in_virtual_time(story())


def test_one_that_can_not_renew_ends_before_another_may_begin() -> None:
    async def story() -> None:
        async with contest("a") as (server, (one,)):
            one.start()
            await asyncio.sleep(60)
            server.is_away = True
            written_at = server.written_at
            await until(lambda: one.has_ended, 60)
            assert isinstance(one.ended, LeaseLostError)
            assert RENEW_SECONDS <= asyncio.get_running_loop().time() - written_at < LEASE_SECONDS
            assert server.holder == "a"

    in_virtual_time(story())


def test_a_short_outage_costs_nobody_the_lease() -> None:
    async def story() -> None:
        async with contest("ab") as (server, (one, two)):
            one.start()
            await until(lambda: one.is_active, 1)
            two.start()
            for _ in range(5):
                await asyncio.sleep(20)
                server.is_away = True
                await asyncio.sleep(RENEW_SECONDS - 2 * RETRY_SECONDS)
                server.is_away = False
            assert (one.is_active, two.is_active) == (True, False)

    in_virtual_time(story())


def test_a_renewal_counts_from_when_it_was_asked_for_and_not_from_its_answer() -> None:
    async def story() -> None:
        async with contest("a") as (server, (one,)):
            one.start()
            await asyncio.sleep(60)
            # It is written at once, and its answer comes just in time; from then on there is none, each a bit late.
            server.late_seconds, before = RETRY_SECONDS * 0.95, server.version
            await until(lambda: server.version > before, 60)
            await asyncio.sleep(server.late_seconds)
            server.is_away, server.seconds, written_at = True, RETRY_SECONDS * 0.65, server.written_at
            await asyncio.sleep(RENEW_SECONDS + 0.5)
            server.seconds = 60
            await until(lambda: one.has_ended, 60)
            assert server.written_at == written_at
            assert asyncio.get_running_loop().time() - written_at < LEASE_SECONDS

    in_virtual_time(story())


def test_an_answer_that_takes_too_long_is_none() -> None:
    async def story() -> None:
        async with contest("a") as (server, (one,)):
            one.start()
            await asyncio.sleep(60)
            server.seconds = 60
            await until(lambda: one.has_ended, 60)
            assert isinstance(one.ended, LeaseLostError)

    in_virtual_time(story())


def test_a_lease_that_somebody_else_takes_by_force_is_lost() -> None:
    async def story() -> None:
        async with contest("a") as (server, (one,)):
            one.start()
            await asyncio.sleep(60)
            assert server.lease is not None
            stolen = deepcopy(server.lease)
            stolen["spec"]["holderIdentity"] = "thief"
            await server.replace(stolen)
            await until(lambda: one.has_ended, 60)
            assert isinstance(one.ended, LeaseLostError)
            assert server.holder == "thief"

    in_virtual_time(story())


def test_a_lease_that_is_ours_from_before_a_restart_is_taken_at_once() -> None:
    async def story() -> None:
        async with contest("a") as (server, (one,)):
            one.start()
            await until(lambda: one.is_active, 1)
            again = Contender(server, "a")
            one.network.is_broken = True
            again.start()
            assert await until(lambda: again.is_active, 60) <= 0.2
            await again.stop()

    in_virtual_time(story())


def test_work_that_does_not_end_is_waited_for_only_so_long() -> None:
    async def story() -> None:
        server: Any = ApiServer()
        loop = asyncio.get_running_loop()
        is_over = asyncio.Event()

        async def stubborn() -> None:
            while not is_over.is_set():
                with suppress(asyncio.CancelledError):
                    await is_over.wait()

        leading = asyncio.create_task(lead(Lease(server, "operator", "edworkers", "a", loop.time), stubborn))
        await asyncio.sleep(10)
        server.is_away = True
        began = loop.time()
        with pytest.raises(LeaseLostError):
            await leading
        assert loop.time() - began < RENEW_SECONDS + 2 * RETRY_SECONDS + END_SECONDS + 1
        assert server.holder == "a"
        is_over.set()

    in_virtual_time(story())


def test_work_that_fails_ends_it_with_its_error_and_frees_the_lease() -> None:
    async def story() -> None:
        server: Any = ApiServer()

        async def fails() -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await lead(Lease(server, "operator", "edworkers", "a", asyncio.get_running_loop().time), fails)
        assert server.holder == ""

    in_virtual_time(story())


def test_a_lease_that_can_not_be_given_up_is_left_to_run_out() -> None:
    async def story() -> None:
        async with contest("a") as (server, (one,)):
            one.start()
            await until(lambda: one.is_active, 1)
            server.is_away = True
            await one.stop()
            assert server.holder == "a"

    in_virtual_time(story())


WHAT = st.sampled_from(["break", "mend", "away", "back", "slow", "quick", "stop", "start"])
MOVES = st.lists(st.tuples(WHAT, st.integers(0, 2), st.floats(0, 25)), max_size=25)


@given(MOVES)
def test_never_two_are_active_at_once_whatever_breaks(moves: list[tuple[str, int, float]]) -> None:
    async def story() -> None:
        async with contest("abc") as (server, contenders):
            for contender in contenders:
                contender.start()
            loop = asyncio.get_running_loop()
            for what, who, seconds in moves:
                await _move(server, contenders[who], what)
                ends = loop.time() + seconds
                while loop.time() < ends:
                    assert sum(contender.is_active for contender in contenders) <= 1
                    await asyncio.sleep(0.25)
            server.is_away, server.seconds = False, 0
            for contender in contenders:
                contender.network.is_broken = False
                if contender.has_ended:
                    contender.start()
            await until(lambda: any(contender.is_active for contender in contenders), LEASE_SECONDS * 3)

    in_virtual_time(story())


async def _move(server: ApiServer, contender: Contender, what: str) -> None:
    if what in {"break", "mend"}:
        contender.network.is_broken = what == "break"
    elif what in {"away", "back"}:
        server.is_away = what == "away"
    elif what in {"slow", "quick"}:
        server.seconds = 0.9 if what == "slow" else 0
    elif what == "stop":
        await contender.stop()
    elif contender.has_ended:
        contender.start()
