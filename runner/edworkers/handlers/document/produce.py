"""Makes of one source what is wanted of it, step by step."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edworkers.adapters import libreoffice
from edworkers.handlers.document import web
from edworkers.handlers.document.conversions import By, Kind, Route, Step
from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.package import seal

_PACKAGES = frozenset({Kind.DOCX, Kind.ODT, Kind.PPTX, Kind.ODP, Kind.XLSX, Kind.ODS})


@dataclass(frozen=True, slots=True)
class Producer:
    """Runs the steps that lead to a PDF, or straight to what is wanted; `folder` is the job's own."""

    env: Mapping[str, str]
    folder: Path
    limits: Limits

    async def produce(self, source: Path, kind: Kind, route: Route, title: str) -> Path:
        """Give the file that comes of a source by all steps that are not done on a PDF.

        Raises UnusableDocumentError and NotConvertedError.
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
        if step.by is By.MARKDOWN:
            await asyncio.to_thread(web.markdown_to_html, source, result, title)
        else:
            await asyncio.to_thread(web.html_to_pdf, source, result)
        return result

    async def _office(self, source: Path, step: Step, kind: Kind, folder: Path) -> Path:
        # LibreOffice is told by the name, too, what it is to read: it gets one of ours.
        named = await asyncio.to_thread(source.rename, folder / f"source.{kind}")
        try:
            return await libreoffice.convert(self.env, named, folder, step.to, step.export)
        except libreoffice.NotConvertedError as error:
            if error.is_document:
                raise UnusableDocumentError(f"it is {kind}, and damaged or protected: {error}") from None
            raise
