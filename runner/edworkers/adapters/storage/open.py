"""Opens the storage that the environment describes."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from edworkers.adapters.storage.folder import Folder
from edworkers.adapters.storage.s3 import S3
from edworkers.adapters.storage.settings import storage_settings
from edworkers.adapters.storage.store import Store
from edworkers.core.errors import SettingsError

_SECONDS_FOR_THREADS = 0.1
"""How long obstore's threads get to let go of what they had of Python: where it ends before, it ends by an abort."""


@asynccontextmanager
async def open_store(env: Mapping[str, str]) -> AsyncGenerator[Store]:
    """Give the storage; nothing is connected to until something is read or written.

    Raises SettingsError with every fault of the environment.
    """
    faults: list[str] = []
    settings = storage_settings(env, faults)
    if faults:
        raise SettingsError("the storage can't be used:", faults)
    s3 = S3(settings.s3)
    try:
        yield Store(s3, Folder(settings.folder))
    finally:
        if s3.is_used:
            await asyncio.sleep(_SECONDS_FOR_THREADS)
