"""The processes that are measured: each writes lines to a pipe, and ends with the block that started it."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

HERE = Path(__file__).parent
_PATIENCE_SECONDS = 120.0


@dataclass
class Measured:
    """A running process and the pipe on which it tells things."""

    process: "subprocess.Popen[bytes]"
    pipe: int
    spawned_ns: int
    """When it was started (Unix ns)."""
    _read: bytes = field(default=b"", repr=False)

    def line(self, seconds: float = _PATIENCE_SECONDS) -> str:
        """Read the next line. Raises RuntimeError when it doesn't come in time, or the process has ended."""
        until = time.monotonic() + seconds
        while b"\n" not in self._read:
            ready, _, _ = select.select([self.pipe], [], [], max(until - time.monotonic(), 0))
            more = os.read(self.pipe, 65536) if ready else b""
            if not more:
                raise RuntimeError(f"{self.process.args!r} said nothing within {seconds:g} s, or ended")
            self._read += more
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()

    def check(self) -> None:
        """Raise RuntimeError if it has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.process.args!r} ended with {self.process.returncode}")

    def stop(self) -> None:
        """End it gracefully, or by force when that takes too long; what it has started ends with it."""
        others = self._others()
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for other in others:
            with contextlib.suppress(psutil.NoSuchProcess):
                other.kill()

    def _others(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []


@contextmanager
def started(command: Sequence[str], env: Mapping[str, str], logs: IO[bytes] | None = None) -> Generator[Measured]:
    """Start a process that finds its pipe's number in BENCH_PIPE, and `{pipe}` of its command replaced by it.

    `logs` takes what it writes to stdout and stderr.
    """
    reading, writing = os.pipe()
    with tempfile.TemporaryDirectory(prefix="edworkers-bench-") as folder:
        spawned = time.time_ns()
        process = subprocess.Popen(
            [word.replace("{pipe}", str(writing)) for word in command],
            env={**env, "BENCH_PIPE": str(writing)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=logs,
            stderr=logs,
            pass_fds=[writing],
        )
        os.close(writing)
        measured = Measured(process, reading, spawned)
        try:
            yield measured
        finally:
            measured.stop()
            os.close(reading)


def environment(**more: str) -> dict[str, str]:
    """Give this process's environment without what would set up edworkers or Redis otherwise.

    Bytecode is kept, as in the images: without it every start would compile what isn't installed by pip.
    """
    left_out = ("EDWORKERS_", "REDIS_", "PM2_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {**kept, "PYTHONPATH": f"{HERE}{os.pathsep}{HERE / 'peers'}", "EDWORKERS_LOG_LEVEL": "warning", **more}


def runner(queue: str, *, pool: bool = True) -> list[str]:
    """Give the command of a real runner; its pool is one of the benchmarks' own, or else the one that is built in."""
    more = ["--pool", str(HERE / "pools.yaml")] if pool else []
    return [sys.executable, "-m", "edworkers", "run", queue, *more]
