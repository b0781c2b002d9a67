"""The guide to a queue of one's own is followed to the letter."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import to_json
from tests.integration.command_line import CommandLine
from tests.integration.processes import Programs

from edworkers.core.errors import SettingsError
from edworkers.core.manifest import CLUSTER_FIELDS
from edworkers.core.outcome import Done
from edworkers.core.settings import PoolSpec
from edworkers.handlers.registry import concurrency_variable
from edworkers.ports import HandlerModule
from edworkers.testing import run_job

GUIDE = (Path(__file__).parents[2] / "docs" / "your-own-queue.md").read_text(encoding="utf-8")


def _block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


EXAMPLE = Path(__file__).parents[2] / "examples" / "greetings"


@pytest.mark.parametrize(("language", "file"), [("python", "greetings.py"), ("yaml", "greetings.yaml")])
def test_the_guide_shows_the_example_as_it_is(language: str, file: str) -> None:
    assert _block(language) == (EXAMPLE / file).read_text(encoding="utf-8")


@pytest.mark.timeout(60)
async def test_the_queue_of_the_guide_works_as_it_says(programs: Programs, redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "greetings.py").write_text(_block("python"), encoding="utf-8")
    manifest = tmp_path / "greetings.yaml"
    manifest.write_text(_block("yaml"), encoding="utf-8")
    shell = CommandLine(tmp_path, redis_url)
    runner = await programs.start("run", "greetings", "--pool", str(manifest), PYTHONPATH=str(tmp_path))
    await runner.says("runner.started")
    for name, code, said in (("Ada", 0, "Hello Ada"), ("nobody", 6, "there is nobody to greet")):
        words = ("enqueue", "greetings", f'{{"name":"{name}"}}', "--pool", str(manifest), "--wait")
        ran = await shell.run(*words, PYTHONPATH=str(tmp_path))
        assert ran.code == code
        assert said in ran.out + ran.err


_IMPORTS = """
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from edworkers.ports import Handle, JobContext
"""


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    asked = (await reader.readuntil(b"\r\n\r\n")).split()[1]
    body = to_json({"fullName": f"Ada Lovelace of {asked.decode()}"})
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (len(body), body))
    writer.close()
    await writer.wait_closed()


async def test_what_the_guide_opens_is_opened_and_its_lack_is_told() -> None:
    first, second = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    names: dict[str, Any] = {"__name__": "greetings"}
    exec(compile(_IMPORTS + first + second, "greetings", "exec"), names)
    module: HandlerModule = names["MODULE"]
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    async with server:
        env = {"DIRECTORY_URL": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}
        done = await run_job(module, {"name": "Ada"}, env=env)
    assert done == Done({"text": "Hello Ada Lovelace of /people/Ada"})
    with pytest.raises(SettingsError, match="DIRECTORY_URL: not set"):
        await run_job(module, {"name": "Ada"}, env={})


def test_the_guide_names_every_setting_of_a_manifest() -> None:
    names = {field.alias or name for name, field in PoolSpec.model_fields.items()}
    named = set(re.findall(r"`([a-zA-Z]+)(?:\.[a-zA-Z]+)?`", GUIDE))
    assert names - named == set()
    assert CLUSTER_FIELDS & named
    assert concurrency_variable("queue").replace("QUEUE", "<QUEUE>") in GUIDE
