"""pg_dump as a stream of bytes, and pg_restore as what reads a stream; neither outlives its reader."""

import asyncio
import hashlib
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from edworkers.core.outcome import Failed
from edworkers.handlers.scheduled.work import TaskError, refused

_CHUNK = 1024 * 1024
_LONGEST_TEXT = 2000
_TABLE = re.compile(rb"^[0-9]+; 1259 ([0-9]+) TABLE (?!DATA |ATTACH )", re.MULTILINE)
_ENTRIES = re.compile(rb"^; +TOC Entries: ([0-9]+)$", re.MULTILINE)
_PASSING = ("connection", "could not connect", "server closed", "terminating", "timeout", "deadlock")


@asynccontextmanager
async def _running(*words: str | Path, env: Mapping[str, str], stdin: int) -> AsyncGenerator[Process]:
    """Run a program until the block ends; it is killed with all that it started where it has not ended by then."""
    process = await asyncio.create_subprocess_exec(
        *words, env=dict(env), stdin=stdin, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


class Dump:
    """A dump in custom format. `sha256` and `bytes` are those of what was read so far."""

    def __init__(self, program: Path, env: Mapping[str, str]) -> None:
        self._program = program
        self._env = env
        self._hash = hashlib.sha256()
        self.bytes = 0

    @property
    def sha256(self) -> str:
        """The checksum of all bytes, in hexadecimal digits."""
        return self._hash.hexdigest()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the dump. Raises TaskError after its last byte where pg_dump failed, so that nothing is stored."""
        words = (self._program, "--format=custom", "--no-password", "--lock-wait-timeout=60s")
        async with _running(*words, env=self._env, stdin=DEVNULL) as process:
            assert process.stdout is not None  # noqa: S101
            assert process.stderr is not None  # noqa: S101
            complaints = asyncio.create_task(_beginning(process.stderr))
            while chunk := await process.stdout.read(_CHUNK):
                self._hash.update(chunk)
                self.bytes += len(chunk)
                yield chunk
            said, code = await complaints, await process.wait()
        if code != 0:
            raise TaskError(_failed(code, said))


async def _beginning(stream: asyncio.StreamReader) -> str:
    """Read all, so that the program never waits, and keep the beginning."""
    kept = b""
    while chunk := await stream.read(65536):
        kept += chunk[: _LONGEST_TEXT - len(kept)]
    return kept.decode(errors="replace").strip()


def _failed(code: int, said: str) -> Failed:
    if code < 0:
        return Failed("pg_dump", f"pg_dump was killed by {signal.Signals(-code).name}; nothing was stored")
    passing = any(word in said.lower() for word in _PASSING)
    return Failed("pg_dump", f"pg_dump failed, and nothing was stored: {said}", retryable=passing)


class Contents:
    """What pg_restore reads in a dump: its table of contents."""

    def __init__(self, listed: bytes) -> None:
        entries = _ENTRIES.search(listed)
        self.entries = int(entries[1]) if entries else 0
        self.tables = {int(oid) for oid in _TABLE.findall(listed)}


async def list_contents(program: Path, env: Mapping[str, str], chunks: AsyncIterator[bytes]) -> tuple[Contents, str]:
    """Read a stored dump to its end; gives what pg_restore lists, and the checksum. Raises TaskError."""
    checksum = hashlib.sha256()
    async with _running(program, "--list", env=env, stdin=PIPE) as process:
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        listing = asyncio.create_task(process.stdout.read())
        complaints = asyncio.create_task(_beginning(process.stderr))
        await _feed(process, chunks, checksum)
        listed, said, code = await listing, await complaints, await process.wait()
    if code != 0:
        raise refused("backup", f"pg_restore can't read the stored backup, which was removed: {said}")
    return Contents(listed), checksum.hexdigest()


async def _feed(process: Process, chunks: AsyncIterator[bytes], checksum: Any) -> None:
    """Give all to the checksum, and to the program as much as it wants: it ends when it knows the contents."""
    stdin = process.stdin
    assert stdin is not None  # noqa: S101
    async for chunk in chunks:
        checksum.update(chunk)
        if not stdin.is_closing():
            try:
                stdin.write(chunk)
                await stdin.drain()
            except (BrokenPipeError, ConnectionResetError):
                stdin.close()
    stdin.close()
    with suppress(BrokenPipeError, ConnectionResetError):
        await stdin.wait_closed()
