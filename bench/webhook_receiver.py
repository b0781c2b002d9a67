"""A receiver of webhooks that does as little as one can: it answers every POST with 200, and tells its port first.

`python bench/webhook_receiver.py PIPE`; told SIGTERM, it writes how many requests came, on how many connections.
"""

import asyncio
import json
import os
import signal
import sys
from typing import cast

import uvloop

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Tally:
    """What came."""

    def __init__(self) -> None:
        self.requests = 0
        self.connections = 0
        self.unsigned = 0


class Receiving(asyncio.Protocol):
    """One connection."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._read = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is none of asyncio's classes
        self._tally.connections += 1

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (head := self._read.find(b"\r\n\r\n")) >= 0:
            fields = self._read[:head].lower()
            length = int(fields.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            if len(self._read) < head + 4 + length:
                return
            self._read = self._read[head + 4 + length :]
            self._tally.requests += 1
            self._tally.unsigned += b"webhook-signature: v1," not in fields
            assert self._transport is not None
            self._transport.write(_ANSWER)


async def main(pipe: int) -> None:
    """Receive until told to stop."""
    tally, told = Tally(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    server = await loop.create_server(lambda: Receiving(tally), "127.0.0.1", 0)
    os.write(pipe, b"%d\n" % server.sockets[0].getsockname()[1])
    await told.wait()
    os.write(pipe, json.dumps(vars(tally)).encode() + b"\n")


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
