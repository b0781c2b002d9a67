"""Makes of one source what is wanted of it, step by step."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edworkers.adapters import libreoffice
from edworkers.handlers.document import web
from edworkers.handlers.document.conversions import By, Kind, Route, Step
from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.lay_out import Order
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.package import seal
from edworkers.ports import JobContext

_PACKAGES = frozenset({Kind.DOCX, Kind.ODT, Kind.PPTX, Kind.ODP, Kind.XLSX, Kind.ODS})


@dataclass(frozen=True, slots=True)
class Producer:
    """Runs the steps that lead to a PDF, or straight to what is wanted; `folder` is the job's own."""

    env: Mapping[str, str]
    folder: Path
    limits: Limits
    job: JobContext
    missing: list[str] = field(default_factory=list[str])
    """Pictures and styles that weren't loaded, each with the reason."""

    async def produce(self, source: Path, kind: Kind, route: Route, title: str) -> Path:
        """Give the file that comes of a source by all steps that are not done on a PDF.

        Raises UnusableDocumentError, NotConvertedError and NotLaidOutError.
        """
        if kind in _PACKAGES:
            await asyncio.to_thread(seal, source, self.limits)
        made = source
        for number, step in enumerate(route):
            if step.by is not By.PDF:
                made = await self._step(made, step, kind, self.folder / f"{source.stem}-{number}", title)
        return made

    async def _step(self, source: Path, step: Step, kind: Kind, folder: Path, title: str) -> Path:
        await asyncio.to_thread(folder.mkdir)
        if step.by is By.OFFICE:
            return await self._office(source, step, kind, folder)
        result = folder / f"made.{step.to}"
        order = self._order(step.to, source, result, title)
        self.missing.extend(await web.lay_out(order, self.env, folder, self.job.seconds_left))
        return result

    def _order(self, to: str, source: Path, result: Path, title: str) -> Order:
        pages, pixels = self.limits.max_pages, self.limits.max_pixels
        return Order(to, str(source.absolute()), str(result.absolute()), title, pages, pixels)

    async def _office(self, source: Path, step: Step, kind: Kind, folder: Path) -> Path:
        # LibreOffice is told by the name, too, what it is to read: it gets one of ours.
        named = await asyncio.to_thread(source.rename, folder / f"source.{kind}")
        try:
            return await libreoffice.convert(self.env, named, folder, step.to, step.export)
        except libreoffice.NotConvertedError as error:
            if error.is_document:
                raise UnusableDocumentError(f"it is {kind}, and damaged or protected: {error}") from None
            raise
