"""Storage of the test's own: a folder, and moto's server in place of S3. The `env` of each is what opens it."""

import asyncio
import asyncio.subprocess
import re
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from edworkers.standins.leash import leashed

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-moto" / "bin" / "python"
_RUNNING = re.compile(rb"Running on (http://127\.0\.0\.1:\d+)")


@dataclass(frozen=True)
class StorageFolder:
    """A folder, empty at first."""

    path: Path

    @property
    def env(self) -> dict[str, str]:
        return {"STORAGE_FOLDER": str(self.path)}

    def url(self, name: str = "") -> str:
        """The URL of an object in it."""
        return f"file://{quote(str(self.path))}/{quote(name)}"


@dataclass(frozen=True)
class S3Server:
    """Storage with one bucket, empty at first."""

    endpoint: str
    bucket: str = "school"

    @property
    def env(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "school-key",
            "AWS_SECRET_ACCESS_KEY": "school-secret",
            "AWS_REGION": "us-east-1",
        }

    def url(self, name: str = "") -> str:
        """The URL of an object in it."""
        return f"s3://{self.bucket}/{name}"

    async def ask(self, method: str, path: str, content: bytes = b"") -> bytes:
        """Ask the server itself, and return what it says."""
        async with httpx2.AsyncClient(base_url=self.endpoint, trust_env=False) as client:
            response = await client.request(method, path, content=content)
            return response.raise_for_status().content


@pytest.fixture
def storage_folder(tmp_path: Path) -> StorageFolder:
    """A folder that is STORAGE_FOLDER in its `env`."""
    folder = tmp_path / "storage"
    folder.mkdir()
    return StorageFolder(folder)


@pytest.fixture
async def s3(shared_s3: S3Server) -> S3Server:
    """S3 with an empty bucket; shared by the tests of one process, one after the other."""
    await shared_s3.ask("POST", "/moto-api/reset")
    await shared_s3.ask("PUT", f"/{shared_s3.bucket}")
    return shared_s3


@pytest.fixture(scope="session")
def shared_s3() -> Generator[S3Server]:
    """One server for all tests of this process."""
    with asyncio.Runner() as runner:
        serving = serve_s3()
        server = runner.run(serving.__aenter__())
        yield server
        runner.run(serving.__aexit__(None, None, None))


@asynccontextmanager
async def serve_s3() -> AsyncGenerator[S3Server]:
    """Run moto's server on a free port of loopback, in an environment that is made when it is missing."""
    await _make_environment()
    command = leashed(str(PYTHON), "-m", "moto.server", "-H", "127.0.0.1", "-p", "0")
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
    reading: asyncio.Task[bytes] | None = None
    try:
        endpoint = await _endpoint(process)
        reading = asyncio.create_task(_drain(process))  # its log, which would fill the pipe
        yield S3Server(endpoint)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        if reading is not None:
            await reading


async def _make_environment() -> None:
    script = ROOT / "scripts" / "side_environment.py"
    making = await asyncio.create_subprocess_exec(sys.executable, str(script), stdout=PIPE, stderr=STDOUT)
    said, _ = await making.communicate()
    told = said.decode(errors="replace")
    assert making.returncode == 0, f"scripts/side_environment.py couldn't install moto's server:\n{told}"


async def _endpoint(process: Process) -> str:
    assert process.stdout is not None
    said = b""
    async for line in process.stdout:
        said += line
        if found := _RUNNING.search(line):
            return found[1].decode()
    raise AssertionError(f"moto's server ended at once:\n{said.decode(errors='replace')}")


async def _drain(process: Process) -> bytes:
    assert process.stdout is not None
    while await process.stdout.read(65536):
        pass
    return b""
