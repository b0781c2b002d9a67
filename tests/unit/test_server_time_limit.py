"""What one request asks of Redis takes no longer in all than one question may."""

import asyncio
from collections.abc import Generator

import pytest

from edworkers.cli.in_time import in_time
from edworkers.core.errors import QueueUnavailableError
from edworkers.server.time_limit import REQUEST_TIME, RequestTime


class Silent:
    """A port that never answers."""

    async def ask(self) -> None:
        await asyncio.Event().wait()


class Quick:
    """A port that answers at the next turn of the event loop."""

    async def ask(self) -> str:
        await asyncio.sleep(0)
        return "here"


@pytest.fixture
def whole() -> Generator[RequestTime]:
    whole = RequestTime()
    token = REQUEST_TIME.set(whole)
    yield whole
    REQUEST_TIME.reset(token)


async def test_all_questions_of_a_request_end_when_the_first_would() -> None:
    whole = RequestTime()
    first = whole.until(2.0)
    await asyncio.sleep(0)
    assert whole.until(2.0) == first
    assert whole.until(60.0) == first


async def test_a_shorter_question_keeps_its_own_end() -> None:
    whole = RequestTime()
    whole.until(60.0)
    assert whole.until(1.0) < asyncio.get_running_loop().time() + 2.0


async def test_a_stream_has_time_for_each_question_once_it_has_begun() -> None:
    whole = RequestTime()
    first = whole.until(1.0)
    whole.answered()
    assert whole.until(60.0) > first + 30


async def test_after_a_question_without_answer_a_request_has_no_time_for_another(whole: RequestTime) -> None:
    REQUEST_TIME.set(whole)
    with pytest.raises(QueueUnavailableError, match=r"no answer within 0\.01 s"):
        await in_time(Silent(), 0.01).ask()
    with pytest.raises(QueueUnavailableError):
        await in_time(Quick(), 0.01).ask()


async def test_what_a_server_does_of_itself_has_time_for_each_question() -> None:
    with pytest.raises(QueueUnavailableError):
        await in_time(Silent(), 0.01).ask()
    assert await in_time(Quick(), 60.0).ask() == "here"
