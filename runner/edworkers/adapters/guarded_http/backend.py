"""How connections come about: resolved once, every address checked, and connected to as checked.

A connection that is used again was checked when it was made, and leads where it led then.
"""

import asyncio
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Any

import httpcore2

from edworkers.adapters.guarded_http.addresses import Address, Network, network_of, plain, refusal
from edworkers.adapters.guarded_http.race import first_to_connect, in_turn
from edworkers.adapters.guarded_http.resolve import Resolve
from edworkers.adapters.guarded_http.stream import Stream
from edworkers.adapters.guarded_http.wire import Wire
from edworkers.core.errors import AddressRefusedError


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to hosts that are on the internet or in one of the networks `allowed`.

    `variable` is where those come from, for the text of the refusal.
    """

    def __init__(self, allowed: Sequence[Network], resolve: Resolve, variable: str) -> None:
        self._allowed = tuple(allowed)
        self._resolve = resolve
        self._variable = variable

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore2 declares it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - asyncio sets TCP_NODELAY, and nothing else is asked
    ) -> httpcore2.AsyncNetworkStream:
        """Connect. Raises AddressRefusedError, and ConnectError or ConnectTimeout of httpcore2."""

        async def connect(address: Address) -> Stream:
            return await _connect(address, port, local_address)

        try:
            async with asyncio.timeout(timeout):
                return await first_to_connect(await self._addresses(host), connect, Stream.aclose)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout("no connection in time") from error
        except OSError as error:
            raise httpcore2.ConnectError(error.strerror or str(error)) from error

    async def _addresses(self, host: str) -> Sequence[Address]:
        try:
            found = [host] if _is_address(host) else await self._resolve(host)
        except OSError as error:
            raise httpcore2.ConnectError(f"the name can't be resolved: {error.strerror or error}") from error
        addresses = [plain(ip_address(text)) for text in found]
        if not addresses:
            raise httpcore2.ConnectError("the name has no address")
        for address in addresses:
            self._check(host, address)
        return in_turn(addresses)

    def _check(self, host: str, address: Address) -> None:
        refused = refusal(address, self._allowed)
        if refused is not None:
            to, kind = refused
            leads = host if str(to) == host else f"{host} leads to {to}, which"
            raise AddressRefusedError(
                f"{leads} is {kind}: nothing is sent but to the internet; where this address is meant,"
                f" add its network to {self._variable}, such as {network_of(to)}"
            )

    async def sleep(self, seconds: float) -> None:
        """Wait between two attempts to connect."""
        await asyncio.sleep(seconds)


async def _connect(address: Address, port: int, local_address: str | None) -> Stream:
    loop = asyncio.get_running_loop()
    local = None if local_address is None else (local_address, 0)
    # An address as text is looked up nowhere.
    transport, wire = await loop.create_connection(Wire, str(address), port, local_addr=local)
    return Stream(transport, wire)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
