"""A mail server for pods: it takes every message and prints it, a line of JSON each. `python -m mail_for_cluster`."""

import asyncio
import json
import sys
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

PORT = 2525
_END = b".\r\n"


async def _serve(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(ConnectionError):  # of probes, which only knock
        await _talk(reader, writer)
    writer.close()


async def _talk(reader: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"220 mail.test ready\r\n")
    receivers: list[str] = []
    while line := await reader.readline():
        word = line[:4].upper()
        if word == b"DATA":
            writer.write(b"354 go on\r\n")
            message = await _message(reader)
            sys.stdout.write(json.dumps({"to": receivers, "message": message}) + "\n")
            sys.stdout.flush()
            receivers = []
        elif word == b"RCPT":
            receivers.append(line.partition(b"<")[2].partition(b">")[0].decode())
        writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 taken\r\n")
        await writer.drain()
        if word == b"QUIT":
            break


async def _message(reader: StreamReader) -> str:
    lines: list[bytes] = []
    while (line := await reader.readline()) not in {_END, b""}:
        lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
    return b"".join(lines).decode()


async def main() -> None:
    """Serve until the pod ends."""
    server = await asyncio.start_server(_serve, host="0.0.0.0", port=PORT)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
