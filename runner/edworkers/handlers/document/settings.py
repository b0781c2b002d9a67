"""What the queue `document` reads from the environment."""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import gettempdir

from edworkers.adapters import guarded_http, libreoffice, storage
from edworkers.adapters.guarded_http.settings import Names
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.environment import not_installed, whole_number

WEB = Names(
    allowed="DOCUMENT_ALLOWED_NETWORKS",
    authorities="DOCUMENT_CA_FILE",
    certificate="DOCUMENT_CLIENT_CERT_FILE",
    key="DOCUMENT_CLIENT_KEY_FILE",
)
"""The variables for sources on the web."""
_WORK_FOLDER = "EDWORKERS_WORK_FOLDER"
_MIB = 1024 * 1024
_MOST_BYTES = 10 * 1024 * _MIB
_MOST_PAGES = 100_000
_PACKAGES = ("httpx2", "h2", "obstore", "pikepdf", "pypdfium2", "PIL", "weasyprint", "markdown_it")


def read_limits(env: Mapping[str, str], faults: list[str]) -> Limits:
    """Read how large a document may be."""
    return Limits(
        max_bytes=whole_number(env, "DOCUMENT_MAX_BYTES", faults, maximum=_MOST_BYTES) or 100 * _MIB,
        max_pages=whole_number(env, "DOCUMENT_MAX_PAGES", faults, maximum=_MOST_PAGES) or 2000,
        max_unpacked_bytes=whole_number(env, "DOCUMENT_MAX_UNPACKED_BYTES", faults, maximum=_MOST_BYTES) or 256 * _MIB,
    )


def work_folder(env: Mapping[str, str]) -> Path:
    """Name the folder for what jobs need for as long as they run."""
    return Path(env.get(_WORK_FOLDER, "").strip() or env.get("TMPDIR", "").strip() or gettempdir())


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the environment, a line each."""
    faults = not_installed("documents", *_PACKAGES)
    read_limits(env, faults)
    folder = work_folder(env)
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        faults.append(f"{_WORK_FOLDER}: {folder} is no folder that can be written to; name one, as of an emptyDir")
    return [
        *faults,
        *libreoffice.find_faults(env),
        *storage.find_faults(env, needed=True),
        *guarded_http.find_faults(env, WEB),
    ]
