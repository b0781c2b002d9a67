"""What tests of every kind share: how Hypothesis tries examples, and a Redis of the test run's own."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncGenerator, Generator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from edworkers.standins import redis as redis_standin
from edworkers.standins.redis import RedisServer
from edworkers.telemetry import log

_LOGGERS = (None, "edworkers", "kopf", "kubernetes", "aiohttp", "asyncio")

pytest_plugins: tuple[str, ...] = ("tests.servers.mailbox", "tests.servers.storage", "tests.servers.postgres")

# Run in the background, as by nohup, this process and all that it starts would be deaf to Ctrl-C, which tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in CI every time, never judged by the machine's speed.
settings.register_profile("here", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Generator[None]:
    """Put logging, which is the whole process's, back as it was: a logger that was set up here tells others nothing."""
    root, before = logging.getLogger(), structlog.get_config() if structlog.is_configured() else None
    handlers = root.handlers[:]
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    if before is None:
        structlog.reset_defaults()
    else:
        structlog.configure(**before)
    vars(log).pop("bind", None)  # where structlog keeps what the logger was first configured as


@pytest.fixture(scope="session")
def _shared_redis() -> Generator[RedisServer]:
    """One server for all tests of this process."""
    with asyncio.Runner() as runner:
        serving = redis_standin.serve()
        server = runner.run(serving.__aenter__())
        yield server
        runner.run(serving.__aexit__(None, None, None))


@pytest.fixture
async def redis_url(_shared_redis: RedisServer) -> str:
    """The address of an empty Redis; shared by the tests of one process, one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", _shared_redis.port)
    writer.write(b"FLUSHALL\r\nSCRIPT FLUSH\r\n")
    assert await reader.readuntil(b"\r\n") == b"+OK\r\n"
    assert await reader.readuntil(b"\r\n") == b"+OK\r\n"
    writer.close()
    await writer.wait_closed()
    return _shared_redis.url


@pytest.fixture
async def redis_server() -> AsyncGenerator[RedisServer]:
    """A server of the test's own, with everything written to disk at once, to be stopped, killed and started."""
    async with redis_standin.serve(options={"appendonly": "yes", "appendfsync": "always"}) as server:
        yield server
