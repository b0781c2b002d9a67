"""HTML and Markdown that would take all time or memory: told for what it is, at the first attempt."""

import asyncio
import base64
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from tests.integration.document_desk import Desk
from tests.integration.processes import Programs, Queue, eventually
from tests.servers.storage import StorageFolder

from edworkers.core.lifecycle import State
from edworkers.core.outcome import Failed

pytestmark = pytest.mark.timeout(120)

WORDS = "word " * 20_000


@pytest.fixture
def desk(storage_folder: StorageFolder, tmp_path: Path) -> Desk:
    work = tmp_path / "work"
    work.mkdir()
    return Desk(storage_folder, work)


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[Queue]:
    seen = Queue(redis_url, redis_url, "document")
    yield seen
    await seen.close()


@pytest.mark.parametrize("levels", [400, 20_000])
async def test_what_is_nested_too_deeply_is_buried_at_once(desk: Desk, levels: int) -> None:
    told = "it is nested too deeply to be laid out: take elements out of each other"
    assert await desk.refuses("a.html", "<!DOCTYPE html>" + "<div>" * levels + "x") == told


async def test_pages_are_counted_while_they_are_laid_out(desk: Desk) -> None:
    desk.env["DOCUMENT_MAX_PAGES"] = "3"
    told = "it has more than the 3 pages that are allowed (DOCUMENT_MAX_PAGES)"
    html = f"<!DOCTYPE html><style>@page {{ size: 1px 1px }}</style>{WORDS}"
    assert await desk.refuses("a.html", html) == told


async def test_what_takes_too_long_is_buried_with_what_to_do(desk: Desk) -> None:
    desk.job.seconds_left = 0.5
    told = "it takes longer than 0 s to be laid out: split it, or raise job.timeoutSeconds"
    assert await desk.refuses("a.html", f"<!DOCTYPE html>{WORDS}") == told


async def test_what_lays_documents_out_is_tried_again_when_it_is_killed(desk: Desk) -> None:
    html = f"<!DOCTYPE html><style>@page {{ size: 9px 9px }}</style>{WORDS}"
    url = desk.lay("a.html", html)
    me = psutil.Process()
    before = set(me.children())
    attempt = asyncio.create_task(desk.attempt(source=url, to="pdf", destination=desk.storage.url("r.pdf")))

    async def is_started() -> bool:
        return bool(set(me.children()) - before)

    await eventually(is_started)
    [child] = set(me.children()) - before
    child.kill()
    found = await attempt
    assert isinstance(found, Failed)
    assert (found.kind, found.retryable) == ("weasyprint", True)
    assert found.message.startswith("what lays documents out ended with -9")


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.html", "<!DOCTYPE html><table>" + "<tr><td>x<td>y" * 60_000), ("a.md", "para\n\n" * 400_000)],
    ids=["html", "md"],
)
async def test_what_needs_too_much_memory_is_buried_at_its_first_attempt_with_what_to_do(
    programs: Programs, queue: Queue, desk: Desk, name: str, content: str
) -> None:
    job = {"isolation": "process", "memory": "300Mi", "timeoutSeconds": 100, "maxAttempts": 3}
    manifest = programs.manifest("document", handlers="edworkers.handlers.document", job=job)
    await programs.runner(manifest, EDWORKERS_WORK_FOLDER=str(desk.work), **desk.storage.env)
    data = {"source": desk.lay(name, content), "to": "pdf", "destination": desk.storage.url("r.pdf")}
    await queue.push({"id": "heavy", "data": data})
    record = await queue.becomes("heavy", State.DEAD)
    assert record.attempts == 1
    error = record.error or {}
    assert error["kind"] == "document"
    assert error["message"].startswith("it needs more memory than the 150 MiB that a job's memory leaves for it")
    assert error["message"].endswith("split it, or raise job.memory")


def _png(side: int) -> str:
    """A picture of one colour, of so many pixels a side, as a URL."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, row = zlib.compressobj(9), bytes(side // 8 + 2)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    whole = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return f"data:image/png;base64,{base64.b64encode(whole).decode()}"


async def test_pictures_and_styles_that_were_not_loaded_are_named_in_the_result(desk: Desk) -> None:
    html = (
        f'<!DOCTYPE html><p>Hello<img src="{_png(10)}"><img src="{_png(20_000)}"><img src="data:image/png;base64,AAAA">'
        '<img src="https://school.example/logo.png"><link rel="stylesheet" href="https://school.example/a.css">'
    )
    missing = (await desk.convert("a.html", html, "pdf"))["missing"]
    elsewhere = "it lies elsewhere, and only what is in the document itself is loaded"
    assert f"https://school.example/a.css: {elsewhere}" in missing
    assert f"https://school.example/logo.png: {elsewhere}" in missing
    [large] = [each for each in missing if "400000000 pixels" in each]
    assert large.startswith("data:image/png;base64,")
    assert "exceeds limit" in large
    assert len(missing) == 4


async def test_a_document_of_which_all_was_loaded_has_nothing_missing(desk: Desk) -> None:
    assert "missing" not in await desk.convert("a.html", f'<!DOCTYPE html><p>Hello<img src="{_png(10)}">', "pdf")
