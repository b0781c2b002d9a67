"""Documents laid into a folder and given to the opened handler; for tests."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pypdfium2
from tests.servers.storage import StorageFolder

from edworkers.core.outcome import Failed
from edworkers.handlers.document.convert import MODULE
from edworkers.handlers.document.request import DocumentData

[HANDLER] = MODULE.handlers


@dataclass
class Job:
    """A job in its first attempt, and what it told of its progress."""

    id: str = "01JOB"
    queue: str = "document"
    type: str | None = None
    attempt: int = 1
    max_attempts: int = 3
    receipt: str = "r1"
    seconds_left: float = 300.0
    traceparent: str | None = None
    told: list[tuple[float, str]] = field(default_factory=list)

    async def progress(self, fraction: float, note: str = "") -> None:
        self.told.append((fraction, note))

    async def emit(self, text: str) -> None:
        raise AssertionError(f"the handler tells a text: {text}")

    def log(self, message: str, level: str = "info") -> None:
        raise AssertionError(f"the handler logs: {level} {message}")


@dataclass
class Desk:
    """Where documents lie, and what converts them."""

    storage: StorageFolder
    work: Path
    env: dict[str, str] = field(default_factory=dict)
    job: Job = field(default_factory=Job)

    def lay(self, name: str, content: bytes | str) -> str:
        """Lay a document into the folder; returns its URL."""
        data = content.encode() if isinstance(content, str) else content
        (self.storage.path / name).write_bytes(data)
        return self.storage.url(name)

    async def attempt(self, **data: Any) -> Any:
        """Make an attempt at a job with this data."""
        env = {
            "PATH": os.environ["PATH"],
            "EDWORKERS_WORK_FOLDER": str(self.work),
            **self.storage.env,
            **self.env,
        }
        assert HANDLER.faults(env) == []
        async with HANDLER.opened(env) as handle:
            outcome = await handle(DocumentData.model_validate(data), self.job)
        assert [list(folder.iterdir()) for folder in self.work.iterdir()] in ([], [[]])
        return outcome

    async def convert(self, name: str, content: bytes | str, to: str, **options: Any) -> dict[str, Any]:
        """Convert one document; returns what the result says of it, which is at `result`."""
        found = await self.attempt(
            source=self.lay(name, content),
            to=to,
            destination=f"{self.storage.url('pictures')}/" if to == "png" else self.storage.url(f"result.{to}"),
            options=options,
        )
        assert isinstance(found, dict), found
        return cast("dict[str, Any]", found)

    async def refuses(self, name: str, content: bytes | str, to: str = "pdf", **options: Any) -> str:
        """Have a document refused, for good; returns the reason."""
        found = await self.attempt(
            source=self.lay(name, content), to=to, destination=self.storage.url("result"), options=options
        )
        assert isinstance(found, Failed), found
        assert (found.kind, found.retryable) == ("document", False)
        assert not self.result("").exists()
        return found.message

    def result(self, to: str) -> Path:
        return self.storage.path / (f"result.{to}" if to else "result")

    def text(self) -> list[str]:
        """The text of each page of the PDF that was made."""
        with pypdfium2.PdfDocument(self.result("pdf")) as document:
            return [" ".join(page.get_textpage().get_text_bounded().split()) for page in document]
