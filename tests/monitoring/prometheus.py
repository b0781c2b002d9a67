"""A real Prometheus, which scrapes what it is told and has our rules loaded."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import yaml
from tests.monitoring.promtool import RULES, program, promtool

from edworkers.standins.free_port import free_port

LOOK_SECONDS = 0.1
_INTERVAL = "500ms"


class Prometheus:
    """Asks a running Prometheus by its HTTP API."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def ask(self, path: str, **words: str) -> Any:
        """Give the data of an answer; one that says error fails the test."""
        answer = (await self._client.get(f"/api/v1/{path}", params=words)).json()
        assert answer["status"] == "success", (words, answer)
        return answer["data"]

    async def result(self, expr: str) -> list[dict[str, Any]]:
        """Evaluate an expression now; gives its series."""
        found: list[dict[str, Any]] = (await self.ask("query", query=expr))["result"]
        return found

    async def targets(self) -> dict[str, str]:
        """Give the health of each target by the name of its job."""
        found = (await self.ask("targets"))["activeTargets"]
        return {target["labels"]["job"]: target["health"] for target in found}


@asynccontextmanager
async def scraping(folder: Path, targets: Mapping[str, str]) -> AsyncGenerator[Prometheus]:
    """Run Prometheus until the block ends, on these targets: the address of each by a name of its own."""
    config = folder / "prometheus.yaml"
    config.write_text(yaml.safe_dump(_config(targets)), encoding="utf-8")
    checked = promtool("check", "config", str(config))
    assert checked.returncode == 0, checked.stderr
    address = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
        "--enable-feature=exemplar-storage",
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=PIPE,
    )
    said = asyncio.create_task(_all_of(process.stderr))
    try:
        async with httpx2.AsyncClient(base_url=f"http://{address}") as client:
            await _until_ready(client, process)
            yield Prometheus(client)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await said


def _config(targets: Mapping[str, str]) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": _INTERVAL, "scrape_timeout": _INTERVAL, "evaluation_interval": _INTERVAL},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {"job_name": name, "honor_labels": True, "static_configs": [{"targets": [address]}]}
            for name, address in targets.items()
        ],
    }


async def _all_of(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    return (await stream.read()).decode(errors="replace")


async def _until_ready(client: httpx2.AsyncClient, process: asyncio.subprocess.Process) -> None:
    while True:
        assert process.returncode is None, "Prometheus has ended"
        with suppress(httpx2.TransportError):
            if (await client.get("/-/ready")).status_code == 200:
                return
        await asyncio.sleep(LOOK_SECONDS)
