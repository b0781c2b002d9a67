"""The runners and keepers of a chaos run: real processes, each replaced when it ends, however it ended."""

import asyncio
import os
import random
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from edworkers.pipeline.runner import Exit
from edworkers.standins.leash import leashed

HERE = Path(__file__).parent
_LOOK_SECONDS = 0.05
_CLOCKS = (0, 300, -300, 7, -7, 120, -120, 0)
"""By how many seconds the clocks of runners are wrong."""


@dataclass(slots=True)
class Member:
    """One process."""

    name: str
    """Without a full stop or a dash: receipts of a runner begin with its name and a full stop."""
    role: str
    process: Process
    log: Path
    clock: int = 0
    stopped_at: int = 0
    """Since when it stands still by SIGSTOP (nanoseconds of the steady clock); 0 if it doesn't."""
    stops: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """From when to when it stood still."""
    told: set[signal.Signals] = field(default_factory=set[signal.Signals])
    """What it was sent to end it."""

    def send(self, number: signal.Signals) -> None:
        if number in {signal.SIGKILL, signal.SIGTERM}:
            self.told.add(number)
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def freeze(self) -> None:
        self.stopped_at = time.monotonic_ns()
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.send(signal.SIGCONT)
        if self.stopped_at:
            self.stops.append((self.stopped_at, time.monotonic_ns()))
        self.stopped_at = 0


class Crew:
    """Keeps so many processes of each role up until it is dismissed."""

    def __init__(self, folder: Path, env: Mapping[str, str], rng: random.Random) -> None:
        self.members: list[Member] = []
        self.started: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        """How processes ended, in words."""
        self.surprises: list[str] = []
        """Those that ended as none should."""
        self.wrong_clocks: dict[str, int] = {}
        self.stops: dict[str, list[tuple[int, int]]] = {}
        """Of each process that was frozen, from when to when."""
        self._folder = folder
        self._env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH")))),
            "EDWORKERS_LOG_FORMAT": "json",
            "EDWORKERS_DRAIN_SECONDS": "1",
            **env,
        }
        self._rng = rng
        self._places: list[asyncio.Task[None]] = []
        self._dismissed = False

    def keep(self, role: str, words: Sequence[str], count: int) -> None:
        """Keep `count` processes of `edworkers` with these words up."""
        self._places += [asyncio.create_task(self._fill_place(role, words)) for _ in range(count)]

    def up(self, *roles: str) -> list[Member]:
        """Those of these roles that run, and don't stand still."""
        return [member for member in self.members if member.role in roles and not member.stopped_at]

    async def some_up(self, *roles: str) -> list[Member]:
        """Wait until some of these roles run."""
        while True:
            if members := self.up(*roles):
                return members
            await asyncio.sleep(_LOOK_SECONDS)

    async def _fill_place(self, role: str, words: Sequence[str]) -> None:
        while not self._dismissed:
            member = await self._start(role, words)
            code = await member.process.wait()
            self.members.remove(member)
            self.stops[member.name] = member.stops
            self._note_end(member, code)
            if code > 0:
                await asyncio.sleep(0.2)  # one that can't start must not take the machine

    async def _start(self, role: str, words: Sequence[str]) -> Member:
        self.started[role] += 1
        name = f"{role}{self.started[role]}"
        clock = _CLOCKS[self.started[role] % len(_CLOCKS)] if role != "keeper" else 0
        if clock:
            self.wrong_clocks[name] = clock
        log = self._folder / f"{name}.log"
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *leashed(sys.executable, "-m", "edworkers", *words),
                env={**self._env, "EDWORKERS_RUNNER_NAME": name, "CHAOS_CLOCK_OFFSET": str(clock or "")},
                cwd=self._folder,
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=file,
            )
        member = Member(name, role, process, log, clock)
        self.members.append(member)
        return member

    def _note_end(self, member: Member, code: int) -> None:
        if code == -signal.SIGKILL:
            how = "killed by SIGKILL" if signal.SIGKILL in member.told else "killed by a poison pill"
        elif signal.SIGTERM in member.told and code in {0, -signal.SIGTERM}:
            how = "ended after SIGTERM"
        elif code == Exit.STUCK and member.stops:
            # Frozen in the middle of a job, for longer than that job may take and be ended.
            how = "ended by its watchdog after it had been frozen"
        else:
            how = f"ended by itself with code {code}"
            said = member.log.read_text(errors="replace").splitlines()[-5:]
            self.surprises.append("\n  ".join([f"{member.name} {how}:", *said]))
        self.ends[how] += 1

    async def dismiss(self) -> None:
        """End all, kindly, and wait until they have ended."""
        self._dismissed = True
        for member in self.members:
            member.thaw()
            member.send(signal.SIGTERM)
        await asyncio.gather(*self._places)

    async def kill(self) -> None:
        """End all at once."""
        self._dismissed = True
        for place in self._places:
            place.cancel()
        await asyncio.gather(*self._places, return_exceptions=True)
        for member in self.members:
            member.send(signal.SIGKILL)
            await member.process.wait()
