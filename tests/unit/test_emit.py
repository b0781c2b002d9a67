"""The text of an attempt on its way: soon, in few calls, and never more of it than is wanted."""

import asyncio

import pytest
from structlog.testing import capture_logs

from edworkers.core.written_text import MAX_TEXT_BYTES, cut_to
from edworkers.pipeline import emit
from edworkers.pipeline.emit import Emitted


class Followers:
    """Take pieces, as the queue does."""

    def __init__(self, *, wants: bool = True, error: Exception | None = None) -> None:
        self.got: list[tuple[bytes, bool]] = []
        self._wants = wants
        self._error = error
        self._news = asyncio.Event()

    async def take(self, piece: bytes, restart: bool) -> bool:  # noqa: FBT001 - a `Send`
        self.got.append((piece, restart))
        self._news.set()
        if self._error is not None:
            raise self._error
        return self._wants

    async def news(self) -> None:
        await self._news.wait()
        self._news.clear()


@pytest.fixture(autouse=True)
def _no_piece_comes_of_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emit, "PAUSE_SECONDS", 3600)


async def test_the_first_piece_goes_at_once_and_those_that_come_meanwhile_go_together() -> None:
    followers = Followers()
    emitted = Emitted(followers.take, "a")
    emitted.add("Once ")
    await followers.news()
    for word in ("upon ", "a ", "time"):
        emitted.add(word)
    await emitted.end()
    assert followers.got == [(b"Once ", True), (b"upon a time", False)]


async def test_pieces_go_by_themselves_when_the_pause_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emit, "PAUSE_SECONDS", 0.001)
    followers = Followers()
    emitted = Emitted(followers.take, "a")
    for word in ("Once ", "upon ", "a time"):
        emitted.add(word)
        await followers.news()
    assert [piece for piece, _ in followers.got] == [b"Once ", b"upon ", b"a time"]
    await emitted.end()


async def test_nothing_is_sent_where_nothing_was_said() -> None:
    followers = Followers()
    emitted = Emitted(followers.take, "a")
    emitted.add("")
    await emitted.end()
    assert followers.got == []


async def test_nothing_more_is_sent_to_one_who_wants_no_more() -> None:
    followers = Followers(wants=False)
    emitted = Emitted(followers.take, "a")
    emitted.add("Once ")
    await followers.news()
    emitted.add("upon ")
    await emitted.end()
    emitted.add("a time")
    await emitted.end()
    assert followers.got == [(b"Once ", True)]


async def test_a_text_that_cannot_be_told_fails_no_job_and_is_logged_once() -> None:
    followers = Followers(error=RuntimeError("no room"))
    emitted = Emitted(followers.take, "a")
    with capture_logs() as lines:
        emitted.add("Once ")
        await emitted.end()
        emitted.add("upon")
        await emitted.end()
    assert len(followers.got) == 1
    [line] = lines
    assert (line["event"], line["log_level"], line["job"]) == ("job.text_unsent", "warning", "a")
    assert line["reason"] == "RuntimeError: no room"


async def test_what_is_abandoned_is_not_sent() -> None:
    followers = Followers()
    emitted = Emitted(followers.take, "a")
    emitted.add("Once ")
    await followers.news()
    emitted.add("upon")
    emitted.abandon()
    with pytest.raises(asyncio.CancelledError):
        await emitted.end()
    assert followers.got == [(b"Once ", True)]


async def test_beyond_what_is_kept_nothing_is_sent_and_there_is_no_hole() -> None:
    followers = Followers()
    emitted = Emitted(followers.take, "a")
    emitted.add("a" * (MAX_TEXT_BYTES - 1))
    await followers.news()
    emitted.add("é")
    emitted.add("b")
    await emitted.end()
    assert b"".join(piece for piece, _ in followers.got) == b"a" * (MAX_TEXT_BYTES - 1)


@pytest.mark.parametrize(
    ("most", "kept"),
    [(-1, ""), (0, ""), (1, "a"), (2, "a"), (3, "aé"), (5, "aé"), (6, "aé€"), (9, "aé€"), (10, "aé€𝄞")],
)
def test_a_text_is_cut_between_characters(most: int, kept: str) -> None:
    assert cut_to("aé€𝄞".encode(), most).decode() == kept
