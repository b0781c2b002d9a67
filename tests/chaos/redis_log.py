"""What Redis did, in the order in which it did it: read from its append-only file.

With `appendfsync always` nothing is answered before it stands there, and a script's writes stand there as one
transaction. So this is no sample of what happened, but all of it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hiredis

Command = list[bytes]

OPTIONS = {
    "appendonly": "yes",
    "appendfsync": "always",
    # A rewrite would keep only what came of it all.
    "auto-aof-rewrite-percentage": "0",
    "aof-use-rdb-preamble": "no",
}
_PART = 2**20


def read_log(folder: Path) -> Iterator[list[Command]]:
    """Read the transactions of a server that has ended; a command by itself is one, too."""
    files = sorted(folder.glob("**/*.incr.aof")) or sorted(folder.glob("appendonly.aof"))
    for path in files:
        yield from _transactions(path)


def _transactions(path: Path) -> Iterator[list[Command]]:
    begun: list[Command] | None = None
    for command in _commands(path):
        match command[0].upper():
            case b"MULTI":
                begun = []
            case b"EXEC":
                yield begun or []
                begun = None
            case _ if begun is not None:
                begun.append(command)
            case _:
                yield [command]


def _commands(path: Path) -> Iterator[Command]:
    reader: Any = hiredis.Reader()
    with path.open("rb") as file:
        while part := file.read(_PART):
            reader.feed(part)
            while (command := reader.gets()) is not False:
                yield command
