"""The operator's own HTTP endpoints: `/livez`, `/readyz` and `/metrics`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder


@asynccontextmanager
async def serve(port: int, registry: CollectorRegistry) -> AsyncGenerator[int]:
    """Serve until the block ends; yields the port, which 0 leaves to the system. Raises OSError.

    A replica that waits for the Lease is as ready as the one that holds it.
    """

    async def well(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    app = web.Application()
    app.add_routes([web.get("/livez", well), web.get("/readyz", well), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, port=port)
        await site.start()
        # Port 0 is another one for IPv6 than for IPv4, whose addresses are shorter.
        yield min(runner.addresses, key=len)[1]
    finally:
        await runner.cleanup()
