"""Converts documents: from a source in storage or on the web to a result in storage.

Environment: DOCUMENT_MAX_BYTES, DOCUMENT_MAX_PAGES, DOCUMENT_MAX_UNPACKED_BYTES; DOCUMENT_ALLOWED_NETWORKS,
DOCUMENT_CA_FILE, DOCUMENT_CLIENT_CERT_FILE and DOCUMENT_CLIENT_KEY_FILE for sources on the web; EDWORKERS_SOFFICE,
EDWORKERS_WORK_FOLDER; and what the storage reads.
"""

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from edworkers.adapters import libreoffice
from edworkers.adapters.storage import Store, open_store
from edworkers.core.errors import (
    AddressRefusedError,
    EdworkersError,
    NotStoredError,
    StorageRefusedError,
    StorageUnavailableError,
)
from edworkers.core.outcome import Failed, Outcome
from edworkers.core.settings import Autoscaling, JobPolicy, PoolSpec
from edworkers.handlers.away import until_back
from edworkers.handlers.document.conversion import Conversion
from edworkers.handlers.document.errors import NotLaidOutError, UnusableDocumentError
from edworkers.handlers.document.fetch import SourceError
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.request import DocumentData
from edworkers.handlers.document.settings import find_faults, read_limits, work_folder
from edworkers.handlers.document.workspace import workspace
from edworkers.ports import Handle, Handler, HandlerModule, JobContext

MEMORY_BYTES = 1024**3
_WHAT_TO_DO = "split it, or raise job.memory"
PRELOAD = ("httpx2", "obstore", "pikepdf", "pypdfium2", "PIL.Image")

POOL = PoolSpec(
    queue="document",
    handlers="edworkers.handlers.document",
    concurrency=2,
    autoscaling=Autoscaling(max_replicas=10, target_per_replica=2),
    job=JobPolicy(timeout_seconds=300, max_attempts=3, isolation="process", memory=MEMORY_BYTES),
)


@dataclass(frozen=True, slots=True)
class Converter:
    """Converts documents with what the environment and the storage give."""

    env: Mapping[str, str]
    store: Store
    limits: Limits

    async def convert(self, data: DocumentData, job: JobContext) -> Any:
        """Make one attempt and say what it comes to."""
        began = time.monotonic()
        try:
            with workspace(work_folder(self.env)) as folder:
                result = await Conversion(self.env, self.store, self.limits, data, job, folder).run()
        except MemoryError:
            return Failed("document", f"it needs more memory than is allowed: {_WHAT_TO_DO}", retryable=False)
        except EdworkersError as error:
            return _failure_of(error, job)
        return {**result, "seconds": round(time.monotonic() - began, 3)}


def _failure_of(error: EdworkersError, job: JobContext) -> Outcome:
    match error:
        case UnusableDocumentError():
            return Failed("document", error.reason, retryable=False)
        case SourceError():
            return Failed("source", str(error), retryable=error.retryable, after_seconds=error.after_seconds)
        case AddressRefusedError():
            return Failed("address", f"{error}; then replay the job", retryable=False)
        case NotStoredError() | StorageRefusedError():
            return Failed("storage", str(error), retryable=False)
        case StorageUnavailableError():
            return Failed("storage", str(error), after_seconds=until_back(job))
        case NotLaidOutError():
            return Failed("weasyprint", str(error))
        case libreoffice.NotConvertedError():
            return Failed("libreoffice", str(error))
        case _:
            raise error


@asynccontextmanager
async def _open(env: Mapping[str, str]) -> AsyncGenerator[Handle]:
    async with open_store(env) as store:
        yield Converter(env, store, read_limits(env, [])).convert


MODULE = HandlerModule(
    pool=POOL,
    handlers=(
        Handler(
            data=DocumentData,
            open=_open,
            faults=find_faults,
            isolation="process",
            memory_bytes=MEMORY_BYTES,
            preload=PRELOAD,
        ),
    ),
)
