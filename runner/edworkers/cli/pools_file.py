"""A file of WorkerPool manifests that changes while it is in use, as one mounted from a ConfigMap does."""

from pathlib import Path

from edworkers import pools
from edworkers.core.errors import SettingsError
from edworkers.core.settings import PoolSpec
from edworkers.telemetry import log


class PoolsFile:
    """The pools in a file. What can't be read leaves those that were read last, and is told once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text: str | None = None
        self._fault = ""
        self._specs: list[PoolSpec] = []

    def specs(self) -> list[PoolSpec]:
        """Give the pools that are in the file now; none where it isn't there yet."""
        try:
            text = self._path.read_text(encoding="utf-8")
            if text != self._text:
                self._specs = pools.read_manifests(text, str(self._path)) if text.strip() else []
                self._text, self._fault = text, ""
        except (OSError, UnicodeDecodeError, SettingsError) as error:
            self._tell(str(error))
        return self._specs

    def _tell(self, fault: str) -> None:
        if fault != self._fault:
            self._fault = fault
            log.error("pools.unreadable", file=str(self._path), reason=fault, then="keeping the pools read before")
