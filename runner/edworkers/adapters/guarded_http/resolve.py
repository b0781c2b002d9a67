"""From a host's name to its addresses, without holding up anything else.

Each lookup is a thread of its own: the event loop's pool has few threads, so that some names whose servers are dead
would hold up all others. They are daemons, for a process must not wait at its end for such a server.
"""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""From a host to its addresses as text, best first. Raises OSError."""


class SystemResolver:
    """Asks the system. Several who want the same name at the same time share one lookup."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Future[Sequence[str]]] = {}

    async def __call__(self, host: str) -> Sequence[str]:
        """Give the host's addresses. Raises OSError."""
        lookup = self._running.get(host)
        if lookup is None:
            lookup = self._running[host] = self._start(host)
        return await asyncio.shield(lookup)  # who gives up must not end it for the others

    def _start(self, host: str) -> "asyncio.Future[Sequence[str]]":
        loop = asyncio.get_running_loop()
        lookup: asyncio.Future[Sequence[str]] = loop.create_future()

        def done(found: Sequence[str] | OSError) -> None:
            self._running.pop(host, None)
            if isinstance(found, OSError):
                lookup.set_exception(found)
                lookup.exception()  # everybody may have given up, and then it isn't worth a warning
            else:
                lookup.set_result(found)

        def look_up() -> None:
            found = _look_up(host)
            with suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(done, found)

        threading.Thread(target=look_up, name=f"lookup of {host[:60]}", daemon=True).start()
        return lookup


def _look_up(host: str) -> Sequence[str] | OSError:
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except OSError as error:
        return error
    except UnicodeError:  # an empty label, or one that is too long
        return OSError("it can be no name of a host")
    return [str(address[0]) for *_, address in answers]
