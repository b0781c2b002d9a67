"""A dashboard with five busy queues, and a real browser that looks at it."""

import asyncio
import shutil
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from pytest_asyncio import fixture, is_async_test
from tests.browser import seed
from tests.integration.processes import eventually

from edworkers import compose
from edworkers.adapters.redis.books import RedisBooks
from edworkers.adapters.redis.browse import RedisBrowser
from edworkers.adapters.redis.calls import Client
from edworkers.handlers import registry
from edworkers.server.access.roles import RoleRules
from edworkers.server.app import create_app
from edworkers.server.platform import ClusterView, Platform, PoolView, ServedQueue
from edworkers.server.settings import ProxySettings, ServerSettings
from edworkers.standins import redis as redis_standin
from edworkers.standins.redis import RedisServer

HERE = Path(__file__).parent
IMAGES = HERE.parents[1] / "docs" / "images"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTHS = {"desk": (1280, 900), "wide": (1920, 1080), "phone": (375, 780)}
VIEWER = {"X-Forwarded-User": "Vira", "X-Forwarded-Groups": "viewers"}
OPERATOR = {"X-Forwarded-User": "Olena", "X-Forwarded-Groups": "operators"}


@dataclass
class Site:
    """A server with its queues, and what a test does to them beside the browser."""

    address: str
    queues: dict[str, ServedQueue]
    desks: dict[str, seed.Desk]
    books: RedisBooks
    client: Any
    pipe: Client
    clock: compose.SystemClock = field(default_factory=compose.SystemClock)
    cluster: ClusterView | None = None
    has_cluster: bool = True


@dataclass(frozen=True)
class _ClusterOf:
    """What a site's cluster says, which a test may put there while the server runs."""

    site: Site

    async def pools(self) -> Sequence[PoolView]:
        return [] if self.site.cluster is None else await self.site.cluster.pools()


def _platform(site: Site) -> Platform:
    return Platform(
        queues=lambda: site.queues,
        books=site.books,
        clock=site.clock,
        new_id=compose.new_name,
        explain=lambda error: f"{error}; check that it runs",
        cluster=_ClusterOf(site) if site.has_cluster else None,
    )


BY_PROXY = ServerSettings(
    auth="proxy",
    proxy=ProxySettings((ip_network("127.0.0.0/8"),)),
    roles=RoleRules(frozenset({"admins"}), frozenset({"operators"}), frozenset({"viewers"})),
)
"""Who asks is told by headers, as by a proxy."""


@asynccontextmanager
async def serve(site: Site, *, background: bool = False, settings: ServerSettings = BY_PROXY) -> AsyncGenerator[Site]:
    """Serve a dashboard on a free port until the block ends."""
    app = create_app(_platform(site), settings, background=background)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        site.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([listening]))
        await eventually(lambda: _has_started(server, serving))
        try:
            yield site
        finally:
            app.state.stopping.set()
            server.should_exit = True
            await serving


async def _has_started(server: uvicorn.Server, serving: asyncio.Task[None]) -> bool:
    if serving.done():
        await serving  # tells why
    return server.started


@asynccontextmanager
async def open_site(redis_url: str) -> AsyncGenerator[Site]:
    """Open the queues that come with edworkers, as a server has them."""
    specs = seed.specs()
    async with AsyncExitStack() as stack:
        env = {"REDIS_URL": redis_url}
        client = redis.asyncio.Redis.from_url(redis_url)
        stack.push_async_callback(client.aclose)
        pipe = await stack.enter_async_context(compose.open_pipe(env))
        opened = await stack.enter_async_context(compose.open_queues(list(specs.values()), env))
        queues = {each.spec.queue: _served(each, client) for each in opened}
        desks = {name: seed.Desk(pipe, served) for name, served in queues.items()}
        yield Site("", queues, desks, RedisBooks(client), client, pipe)


def _served(opened: compose.OpenQueue, client: Any) -> ServedQueue:
    groups = opened.spec.groups
    browser = RedisBrowser(client, opened.spec.queue, group_by=groups.by if groups is not None else None)
    module = registry.find_module(opened.spec.handlers)
    return ServedQueue(opened.spec, opened.control, browser, opened.usage, module)


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Let all tests with a browser run in one event loop, which the browser that they share is bound to."""
    one_loop = pytest.mark.asyncio(loop_scope="session")
    for item in items:
        if item.path.is_relative_to(HERE) and is_async_test(item):
            item.add_marker(one_loop, append=False)


@fixture(loop_scope="session")
async def redis_server() -> AsyncGenerator[RedisServer]:
    """A server of the test's own, to be stopped and started."""
    async with redis_standin.serve(options={"appendonly": "yes", "appendfsync": "always"}) as server:
        yield server


@fixture(loop_scope="session")
async def quiet_site(redis_url: str) -> AsyncGenerator[Site]:
    """A dashboard whose queues are empty."""
    async with open_site(redis_url) as opened, serve(opened) as site:
        yield site


@fixture(loop_scope="session")
async def site(redis_url: str) -> AsyncGenerator[Site]:
    """A dashboard whose five queues are busy: jobs that wait, run, are put off, done and dead for several causes."""
    async with open_site(redis_url) as opened:
        await seed.seed(opened.desks)
        await seed.use_limits(opened.pipe, opened.queues)
        now = opened.clock.now() // 10_000 * 10_000
        for name, desk in opened.desks.items():
            await desk.appear(opened.client, now)
            await seed.lay_samples(opened.client, name, seed.samples(name, now))
        async with serve(opened) as site:
            yield site


@fixture(scope="session", loop_scope="session")
async def browser() -> AsyncGenerator[Browser]:
    """A Chromium without a window, shared by all tests of this process; each opens a profile of its own in it."""
    if CHROMIUM is None:
        pytest.fail("no chromium is on the PATH; on Debian: apt-get install chromium")
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        await opened.close()


@dataclass
class Tab:
    """A page in the browser, and everything that went wrong in it."""

    page: Page
    site: Site
    faults: list[str] = field(default_factory=list)

    async def go(self, path: str) -> None:
        """Open a page of the dashboard."""
        await self.page.goto(self.site.address + path)

    async def live(self) -> None:
        """Wait until the page is renewed by its stream."""
        await self.page.wait_for_selector("#live-dot[data-state=on]")


@asynccontextmanager
async def open_tab(
    browser: Browser, site: Site, *, width: str = "desk", who: dict[str, str] = OPERATOR, **options: Any
) -> AsyncGenerator[Tab]:
    """Open a page; any script error, any breach of the policy of what may be loaded fails the test."""
    across, down = WIDTHS[width]
    context: BrowserContext = await browser.new_context(
        viewport={"width": across, "height": down}, extra_http_headers=who, **options
    )
    tab = Tab(await context.new_page(), site)
    tab.page.on("pageerror", lambda error: tab.faults.append(str(error)))
    tab.page.on("console", lambda message: _note(tab, message.type, message.text))
    tab.page.on("request", lambda request: _check_home(tab, request.url))
    try:
        yield tab
    finally:
        await context.close()
    assert tab.faults == []


def _note(tab: Tab, kind: str, text: str) -> None:
    # Chromium tells of each answer of 400 and above; tests look at those themselves.
    if kind in {"error", "warning"} and not text.startswith("Failed to load resource"):
        tab.faults.append(text)


def _check_home(tab: Tab, url: str) -> None:
    if not url.startswith((tab.site.address, "data:", "blob:")):
        tab.faults.append(f"asked another host: {url}")


@fixture(loop_scope="session")
async def tab(browser: Browser, site: Site) -> AsyncGenerator[Tab]:
    """A page on a desk's screen, of somebody who may operate queues."""
    async with open_tab(browser, site) as opened:
        yield opened
