"""The loop's time in users' own tests: virtual where nothing real is waited for."""

import asyncio
import queue
import socket
import sys
import threading
from collections.abc import AsyncGenerator, Callable

import pytest
import uvloop
from hypothesis import example, given
from hypothesis.strategies import floats
from tests.unit.handlers_to_test import Note, a_module, a_pool

from edworkers.core.outcome import Done, Failed
from edworkers.ports import JobContext
from edworkers.testing import MemoryClock, Run, Workers, run_job
from edworkers.testing.virtual_time import LoopTime


def compute() -> int:
    """Take a while, and never longer than a time-out of a minute."""
    return sum(range(5_000_000))


ANSWER = compute()


class Asked:
    """A thread that was there before the test, and answers by the loop of whoever asks."""

    def __init__(self) -> None:
        self._questions: queue.Queue[Callable[[], object] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while question := self._questions.get():
            question()

    async def answer(self) -> int:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[int] = loop.create_future()
        self._questions.put(lambda: loop.call_soon_threadsafe(answered.set_result, compute()))
        return await answered

    def close(self) -> None:
        self._questions.put(None)
        self._thread.join()


@pytest.fixture
async def asked() -> AsyncGenerator[Asked]:
    asked = Asked()
    yield asked
    asked.close()


async def test_a_call_to_a_thread_takes_the_time_it_takes() -> None:
    async def work(_data: Note, _job: JobContext) -> int:
        return await asyncio.to_thread(compute)

    assert await run_job(a_module(work), {}) == Done(ANSWER)


async def test_after_it_time_is_virtual_again() -> None:
    async def work(_data: Note, _job: JobContext) -> None:
        await asyncio.to_thread(compute)
        await asyncio.sleep(3600)

    assert await run_job(a_module(work), {}) == Failed("timeout", "not done within 60 s")


async def test_a_thread_that_the_handler_starts_takes_the_time_it_takes() -> None:
    async def work(_data: Note, _job: JobContext) -> int:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[int] = loop.create_future()
        thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(answered.set_result, compute()))
        thread.start()
        answer = await answered
        thread.join()
        return answer

    assert await run_job(a_module(work), {}) == Done(ANSWER)


async def test_a_connection_takes_the_time_it_takes() -> None:
    ours, theirs = socket.socketpair()

    def serve() -> None:
        theirs.recv(1)
        theirs.sendall(str(compute()).encode())
        theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()

    async def work(_data: Note, _job: JobContext) -> int:
        reader, writer = await asyncio.open_connection(sock=ours)
        writer.write(b"?")
        answer = int(await reader.read())
        writer.close()
        await writer.wait_closed()
        return answer

    assert await run_job(a_module(work), {}) == Done(ANSWER)
    thread.join()


@pytest.mark.parametrize("pipes", [None, asyncio.subprocess.PIPE])
async def test_a_process_takes_the_time_it_takes(pipes: int | None) -> None:
    async def work(_data: Note, _job: JobContext) -> int:
        program = "import sys; sys.exit(7)"
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=pipes)
        return await process.wait()

    assert await run_job(a_module(work), {}) == Done(7)


@pytest.mark.timeout(50)
async def test_a_server_that_listens_keeps_nobody_waiting() -> None:
    async def work(_data: Note, _job: JobContext) -> None:
        await asyncio.sleep(3600)

    async with await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0):
        assert await run_job(a_module(work), {}) == Failed("timeout", "not done within 60 s")


async def test_real_time_can_be_asked_for_where_nothing_shows_that_it_is_needed(asked: Asked) -> None:
    async def work(_data: Note, _job: JobContext) -> int:
        return await asked.answer()

    module = a_module(work, pool=a_pool(job={"maxAttempts": 1}))
    assert await run_job(module, {}, real_time=True) == Done(ANSWER)
    async with Workers(real_time=True) as workers:
        workers.serve(module)
        workers.push("work", {"id": "a", "data": {}})
        await workers.drain()
        assert workers.record("a").result == ANSWER


async def test_the_clock_shows_the_real_time_that_passed() -> None:
    async def work(_data: Note, _job: JobContext) -> None:
        await asyncio.wait_for(asyncio.to_thread(lambda: stop.wait(30)), 0.05)

    stop = threading.Event()
    async with Workers() as workers:
        workers.serve(a_module(work, pool=a_pool(job={"maxAttempts": 1})))
        workers.push("work", {"id": "a", "data": {}})
        await workers.advance(0.06)
        stop.set()
        assert [job.error["kind"] for job in workers.dead("work") if job.error] == ["TimeoutError"]
        assert workers.clock.monotonic() >= 0.06


async def test_a_delayed_job_is_not_kept_waiting_by_one_that_takes_real_time() -> None:
    gate = threading.Event()

    async def work(data: Note, _job: JobContext) -> bool:
        if data.text == "first":
            return await asyncio.to_thread(gate.wait, 30)
        gate.set()
        return True

    async with Workers() as workers:
        workers.serve(a_module(work))
        workers.push("work", {"id": "a", "data": {"text": "first"}}, {"id": "b", "delay": 0.02, "data": {}})
        await workers.drain()
        assert workers.record("a").result is True


def test_a_loop_whose_time_cannot_be_moved_is_refused() -> None:
    async def work(_data: Note, _job: JobContext) -> None:
        """Never run."""

    with (
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        pytest.raises(RuntimeError, match=r"the time of uvloop\.Loop can't be moved"),
    ):
        runner.run(run_job(a_module(work), {}))


async def test_time_is_moved_by_one_at_a_time() -> None:
    workers, others = Workers(), Workers()
    results = await asyncio.gather(workers.advance(1), others.advance(1), return_exceptions=True)
    assert [str(result) for result in results if result is not None] == [
        "time is being moved already: await drain, advance and run_job one after the other"
    ]


async def test_the_time_of_a_loop_is_taken_over_once() -> None:
    assert LoopTime.of_running_loop() is LoopTime.of_running_loop()


async def test_a_timer_comes_at_its_millisecond() -> None:
    clock, time = MemoryClock(), LoopTime.of_running_loop()
    due: list[float] = []
    with time.driven_by(clock, lambda: False, real=False):
        loop = asyncio.get_running_loop()
        loop.call_later(0.0015, lambda: due.append(clock.monotonic()))
        loop.call_later(3600, lambda: due.append(clock.monotonic()))
        assert await time.idle(lambda: None) == pytest.approx(0.0015)
        clock.advance(0.002)
        assert await time.idle(lambda: None) == pytest.approx(3600 - 0.002)
        clock.advance(3599.997)
        await time.idle(lambda: None)
        assert due == [0.002]
        clock.advance(0.001)
        await time.idle(lambda: None)
    assert due == [0.002, 3600]


def test_a_plain_function_awaits_by_the_fixture(edworkers_run: Run, edworkers_workers: Workers) -> None:
    edworkers_run(edworkers_workers.advance(60))
    edworkers_run(edworkers_workers.advance(60))
    assert edworkers_workers.clock.monotonic() == 120


async def test_in_a_coroutine_that_fixture_says_what_to_do(edworkers_run: Run, edworkers_workers: Workers) -> None:
    with pytest.raises(RuntimeError, match="await what was to be run"):
        edworkers_run(edworkers_workers.advance(60))


class UpFor(asyncio.SelectorEventLoop):
    """The loop of a machine that has been up for so many seconds, and stays at them."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        super().__init__()

    def time(self) -> float:
        """Seconds."""
        return self._seconds


@given(up_for=floats(0, 10 * 365 * 86_400))
@example(up_for=34_461.784965442)  # a timer of 50 ms was due 7 billionths of a millisecond after them
def test_a_time_out_comes_to_the_millisecond_however_long_the_machine_is_up(up_for: float) -> None:
    async def work(_data: Note, _job: JobContext) -> None:
        await asyncio.sleep(3600)

    async def drain() -> float:
        workers = Workers()
        workers.serve(a_module(work))
        workers.push(a_pool().queue, {"id": "a", "timeoutSeconds": 10, "maxAttempts": 2, "data": {}})
        await workers.drain()
        return workers.clock.monotonic()

    with asyncio.Runner(loop_factory=lambda: UpFor(up_for)) as runner:
        assert runner.run(drain()) == 10 + 2 + 10
