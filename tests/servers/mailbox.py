"""A mail server of the test's own."""

from collections.abc import AsyncGenerator

import pytest

from edworkers.standins.mailbox import Mailbox


@pytest.fixture
async def mailbox() -> AsyncGenerator[Mailbox]:
    """An empty mailbox without TLS on loopback; `mailbox.env` is what sends to it."""
    async with Mailbox.serve() as mailbox:
        yield mailbox
