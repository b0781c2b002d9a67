"""The zygote: a small process with one thread, which forks a process for each job and sees that it ends.

It doesn't trust its runner to be there: one that is frozen can cancel nothing. So it is told when the runner last
renewed its leases, and kills what can have none any more.
"""

import gc
import importlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from edworkers.adapters.isolation import linux
from edworkers.adapters.isolation.frames import SIGN, Frames, Message, write_frame
from edworkers.adapters.isolation.job_process import Order, run_job
from edworkers.adapters.tracing.settings import is_wanted as tracing_is_wanted
from edworkers.core.returned import in_words
from edworkers.ports import Handler, HandlerModule
from edworkers.telemetry import configure, log

LATE = 0.9
"""Of a lease, the part after which a job is killed that the runner gave no sign for: nobody else has it yet."""

_MEMORY_LOOK_SECONDS = 0.2
_LATE_KILL_SECONDS = 0.5
"""How long the runner has to kill by itself what is out of time."""
_CLOSING_SECONDS = 5.0
"""How long a process may take to end once its outcome is told."""
_ENDING_LOOK_SECONDS = 0.005
_END_SECONDS = 5.0
_PIECE = 1 << 18
_DEAF_TO = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(slots=True)
class Running:
    """One job's process."""

    number: int
    pid: int
    order: Order
    channel: socket.socket
    claimed_at: float
    frames: Frames = field(default_factory=Frames)
    why: str = ""
    """Why it was killed, if it was."""
    used: int = 0
    outcome: bytes = b""
    told: dict[str, Any] = field(default_factory=dict[str, Any])
    """What it told beside its outcome."""
    told_at: float = 0
    code: int | None = None
    """How it ended, once it has."""


class Zygote:
    """Forks processes and watches them, until its runner is gone."""

    def __init__(
        self,
        runner: socket.socket,
        signs: int,
        handlers: tuple[Handler[Any], ...],
        env: Mapping[str, str],
        lease_seconds: float,
    ) -> None:
        self._runner = runner
        self._signs = signs
        self._handlers = handlers
        self._env = env
        self._lease = lease_seconds
        self._signed_at = 0.0
        self._heard = Frames()
        self._unsent = bytearray()
        self._jobs: dict[int, Running] = {}
        self._by_pid: dict[int, Running] = {}
        self._memory_looked_at = 0.0
        self._is_alone = False
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._ending = socket.socketpair()
        self._begin()

    def _begin(self) -> None:
        for end in (self._runner, self._wakeup, self._ending):
            end.settimeout(0)
        os.set_blocking(self._signs, False)
        signal.signal(signal.SIGCHLD, _be_woken)
        signal.set_wakeup_fd(self._ending.fileno(), warn_on_full_buffer=False)
        self._listen(self._runner, self._hear_runner)
        self._listen(self._wakeup, self._hear_wakeup)
        self._listen(self._signs, self._hear_sign)

    def _listen(self, end: socket.socket | int, hear: Callable[[], object]) -> None:
        self._selector.register(end, selectors.EVENT_READ, hear)

    def serve(self) -> None:
        """Work until the runner is gone; then kill every process that is left."""
        while not self._is_alone:
            self._turn()
        for job in self._jobs.values():
            self._kill(job, "runner")
        give_up_at = time.monotonic() + _END_SECONDS
        while (self._jobs or self._kill_orphans()) and time.monotonic() < give_up_at:
            self._turn()

    def _turn(self) -> None:
        for key, _ in self._selector.select(self._wait_seconds()):
            key.data()
        self._reap()
        self._look(time.monotonic())
        self._bury()
        self._send()

    # What is heard.

    def _hear_wakeup(self) -> None:
        with suppress(BlockingIOError):
            self._wakeup.recv(_PIECE)

    def _hear_sign(self) -> None:
        with suppress(BlockingIOError):
            signs = os.read(self._signs, 512 * SIGN.size)
            if signs:
                self._signed_at = max(sign for (sign,) in SIGN.iter_unpack(signs))
            else:
                self._selector.unregister(self._signs)  # the runner is gone, or about to be

    def _hear_runner(self) -> None:
        for head, body in self._receive(self._runner, self._heard) or ():
            match head["do"]:
                case "run":
                    self._fork(head, body)
                case "kill" if head["job"] in self._jobs:
                    self._kill(self._jobs[head["job"]], "asked")
                case "answer" if head["job"] in self._jobs:
                    with suppress(OSError):
                        self._jobs[head["job"]].channel.send(b".")
                case _:
                    pass  # of a job that has ended meanwhile

    def _receive(self, end: socket.socket, frames: Frames) -> list[Message] | None:
        """Read what has come, at most a piece of it; None if nothing has."""
        try:
            piece = end.recv(_PIECE)
        except BlockingIOError:
            return None
        except OSError:
            piece = b""
        if not piece:
            self._selector.unregister(end)
            self._is_alone = self._is_alone or end is self._runner
            return None
        return list(frames.feed(piece))

    def _hear_job(self, job: Running) -> bool:
        """Take what a job's process says; False if there is nothing more."""
        if job.channel.fileno() not in self._selector.get_map():
            return False
        messages = self._receive(job.channel, job.frames)
        for head, body in messages or ():
            if "fraction" in head:
                self._tell({**head, "job": job.number, "is": "progress"})
            elif "log" in head:
                self._tell({**head, "job": job.number, "is": "log"})
            elif "emit" in head:
                self._tell({"job": job.number, "is": "emit"}, body)
            else:
                job.told, job.outcome, job.told_at = head, body, time.monotonic()
        return messages is not None

    # What is done.

    def _fork(self, head: dict[str, Any], payload: bytes) -> None:
        number, order = head["job"], replace(Order(**head["order"]), zygote=os.getpid())
        handler: Handler[Any] = self._handlers[int(head["handler"])]
        ours, theirs = socket.socketpair()
        try:
            pid = os.fork()
        except OSError as error:
            ours.close()
            theirs.close()
            self._tell({"is": "ended", "job": number, "why": "fork", "reason": error.strerror})
            return
        if pid == 0:
            self._forget_all()
            ours.close()
            run_job(handler, self._env, order, payload, theirs)
        theirs.close()
        ours.settimeout(0)
        job = Running(number, pid, order, ours, head["claimed_at"])
        self._jobs[number] = self._by_pid[pid] = job
        self._listen(ours, lambda: self._hear_job(job))
        self._tell({"is": "started", "job": number, "pid": pid})

    def _forget_all(self) -> None:
        """Close, in a process just forked, what is the zygote's own: else the runner wouldn't see the zygote's end."""
        self._selector.close()
        os.close(self._signs)
        for end in (self._runner, self._wakeup, self._ending, *(job.channel for job in self._jobs.values())):
            end.close()

    def _kill(self, job: Running, why: str) -> None:
        job.why = job.why or why
        if job.code is None:
            # It may not have a group of its own yet.
            os.kill(job.pid, signal.SIGKILL)
        linux.kill_group(job.pid)

    def _kill_orphans(self) -> bool:
        """Kill what processes that have ended left behind, in their groups or not; False if there is nothing."""
        known = {job.pid for job in self._jobs.values() if job.code is None}
        found = False
        for pid in linux.own_children():
            if pid not in known:
                # One that changed its user refuses us, and there is nothing more that we could do about it.
                with suppress(PermissionError):
                    os.kill(pid, signal.SIGKILL)
                    found = True
        return found

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                job = self._by_pid.get(ended.si_pid)
                if job is not None:
                    linux.kill_group(job.pid)  # as long as its number can't be another's
                _, status = os.waitpid(ended.si_pid, 0)
                if job is not None:
                    job.code = os.waitstatus_to_exitcode(status)

    def _bury(self) -> None:
        """Tell the end of each job of whose processes nothing is left."""
        ended = [job for job in self._jobs.values() if job.code is not None]
        if not ended:
            return
        has_orphans = self._kill_orphans()
        for job in ended:
            if linux.kill_group(job.pid) or has_orphans:
                continue
            while self._hear_job(job):
                pass
            self._forget(job)
            end = {"is": "ended", "job": job.number, "code": job.code, "why": job.why, "used": job.used}
            self._tell({**job.told, **end}, job.outcome)

    def _forget(self, job: Running) -> None:
        if job.channel.fileno() in self._selector.get_map():
            self._selector.unregister(job.channel)
        job.channel.close()
        del self._jobs[job.number], self._by_pid[job.pid]

    # What is watched.

    def _wait_seconds(self) -> float | None:
        """Say for how long nothing is to be done, if nothing is heard."""
        if self._is_alone or any(job.code is not None for job in self._jobs.values()):
            return _ENDING_LOOK_SECONDS
        waits = [self._due_at(job) - time.monotonic() for job in self._jobs.values() if not job.why]
        if any(job.order.memory_bytes is not None for job in self._jobs.values()):
            waits.append(_MEMORY_LOOK_SECONDS)
        return max(min(waits), 0.0) if waits else None

    def _due_at(self, job: Running) -> float:
        """Say when something has to be done about a job of which nothing is heard."""
        closing_ends = job.told_at + _CLOSING_SECONDS if job.told_at else job.order.deadline + _LATE_KILL_SECONDS
        return min(closing_ends, self._lease_ends(job), job.order.deadline + _LATE_KILL_SECONDS)

    def _lease_ends(self, job: Running) -> float:
        return max(job.claimed_at, self._signed_at) + LATE * self._lease

    def _look(self, now: float) -> None:
        for job in self._jobs.values():
            if now < self._due_at(job) or job.why or job.code is not None:
                continue
            if now >= self._lease_ends(job):
                self._kill(job, "lease")
            elif job.told_at and now >= job.told_at + _CLOSING_SECONDS:
                self._kill(job, "closing")
            else:
                self._kill(job, "time")
        if now >= self._memory_looked_at + _MEMORY_LOOK_SECONDS:
            self._memory_looked_at = now
            self._look_at_memory()

    def _look_at_memory(self) -> None:
        limited = [job for job in self._jobs.values() if job.order.memory_bytes is not None and job.code is None]
        listed = linux.processes() if limited else []
        for job in limited:
            allowed = job.order.memory_bytes or 0
            used = linux.memory_of(linux.family(job.pid, listed), allowed)
            if used > allowed:
                job.used = used
                self._kill(job, "memory")

    # What is told.

    def _tell(self, head: dict[str, Any], body: bytes = b"") -> None:
        self._unsent += write_frame(head, body)

    def _send(self) -> None:
        """Send what the runner takes; a runner that is frozen takes nothing, and nothing waits for it."""
        if self._is_alone:
            self._unsent.clear()
            return
        with suppress(OSError):
            while self._unsent:
                del self._unsent[: self._runner.send(self._unsent)]
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        self._selector.modify(self._runner, wanted, self._hear_runner)


def _be_woken(_number: int, _frame: object) -> None:
    """Do nothing: that there is a handler has a byte written to the wakeup socket."""


def main(runner_fd: int, signs_fd: int) -> None:
    """Be the zygote of the runner at the other end of these."""
    _settle_down(runner_fd, signs_fd)
    runner = socket.socket(fileno=runner_fd)
    hello = _hear_hello(runner)
    env: dict[str, str] = hello["env"]
    configure((env.get("EDWORKERS_LOG_LEVEL") or "info").lower(), (env.get("EDWORKERS_LOG_FORMAT") or "text").lower())
    try:
        handlers = _find_handlers(hello)
    except Exception as error:  # noqa: BLE001 - whatever an import raises is to be told
        with suppress(OSError):
            runner.sendall(write_frame({"is": "unable", "reason": f"{type(error).__name__}: {in_words(error)}"}))
        return
    # Collected and counted in no process that is forked: the pages stay shared.
    gc.collect()
    gc.freeze()
    linux.die_with_parent(wanted=False)  # from here on it ends by itself, after all others
    with suppress(OSError):  # the runner is gone: that is seen below
        runner.sendall(write_frame({"is": "ready"}))
    Zygote(runner, signs_fd, handlers, env, hello["lease_seconds"]).serve()


def _settle_down(*descriptors: int) -> None:
    for number in _DEAF_TO:
        signal.signal(number, signal.SIG_IGN)  # whoever is to end by them ends the runner, and with it this process
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)  # noqa: FBT003
    linux.call_myself("zygote")
    linux.die_with_parent()  # as long as only imports run here, which might take for ever
    linux.adopt_orphans()


def _hear_hello(runner: socket.socket) -> dict[str, Any]:
    frames = Frames()
    while piece := runner.recv(_PIECE):
        for head, _ in frames.feed(piece):
            return head
    raise SystemExit(0)


def _find_handlers(hello: dict[str, Any]) -> tuple[Handler[Any], ...]:
    if tracing_is_wanted(hello["env"]):
        importlib.import_module("edworkers.adapters.tracing.provider")  # each fork finds it loaded
    module: HandlerModule = importlib.import_module(hello["module"]).MODULE
    for handler in module.handlers:
        for name in handler.preload:
            importlib.import_module(name)
    if (threads := linux.thread_count()) > 1:
        log.warning(
            "isolation.threads",
            threads=threads,
            reason="what the handlers' module or its preload imports has started threads, which no fork takes along",
            advice="import it inside of `open`",
        )
    return module.handlers
