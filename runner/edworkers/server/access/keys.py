"""API keys of programs: kept as SHA-256 in a file that is read again when it changes."""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import yaml
from pydantic import AwareDatetime, Field, ValidationError

from edworkers.core.errors import SettingsError
from edworkers.core.keys import QUEUE_NAME
from edworkers.core.settings import Settings, faults_of
from edworkers.server.access.identity import Identity, Scope
from edworkers.telemetry import log

PREFIX = "edw"
_KEY = re.compile(rf"{PREFIX}_([a-z0-9][a-z0-9-]{{0,62}})_([A-Za-z0-9_-]{{20,100}})")
_LOOK_SECONDS = 1.0
"""So often at most the file is looked at."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Rate(Settings):
    """How many requests a key may send to one server."""

    per_second: float = Field(gt=0, le=1_000_000)
    burst: int = Field(ge=1, le=1_000_000)


class KeyEntry(Settings):
    """One key in the file."""

    name: Name
    """Whose it is; it stands in the key itself, and in logs and the audit log."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    queues: tuple[Annotated[str, Field(pattern=f"^{QUEUE_NAME.pattern}$")], ...] | None = None
    rate: Rate | None = None
    expires_at: AwareDatetime | None = None

    @property
    def identity(self) -> Identity:
        """Tell who has it."""
        queues = None if self.queues is None else frozenset(self.queues)
        return Identity(self.name, frozenset(self.scopes), "key", queues)


class KeysDocument(Settings):
    """The file."""

    keys: tuple[KeyEntry, ...] = ()


class NewKey(NamedTuple):
    """A key that was just made, and its entry in the file, as YAML."""

    key: str
    entry: str


def new_key(name: str, scopes: Sequence[Scope], queues: Sequence[str] | None) -> NewKey:
    """Make a key; it can't be found again from its entry. Raises SettingsError for what can't be in an entry."""
    key = f"{PREFIX}_{name}_{secrets.token_urlsafe(32)}"
    fields: dict[str, Any] = {"name": name, "sha256": hash_of(key), "scopes": [str(scope) for scope in scopes]}
    fields |= {"queues": list(queues)} if queues else {}
    try:
        KeyEntry.model_validate(fields)
    except ValidationError as error:
        raise SettingsError("no key was made:", _faults(error)) from error
    return NewKey(key, yaml.safe_dump([fields], sort_keys=False, default_flow_style=None, width=120).rstrip())


def read_keys(text: str, source: str) -> tuple[KeyEntry, ...]:
    """Read a file of keys, YAML or JSON. Raises SettingsError with every fault."""
    try:
        return KeysDocument.model_validate(yaml.safe_load(text) or {}).keys
    except yaml.YAMLError as error:
        raise SettingsError(f"{source} is not YAML:", [str(error)]) from error
    except ValidationError as error:
        raise SettingsError(f"{source} can't be used:", _faults(error)) from error


class KeysFile:
    """The keys in a file. What can't be read leaves those that were read last, and is told once."""

    def __init__(self, path: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._monotonic = monotonic
        self._text = ""
        self._fault = ""
        self._by_name: dict[str, list[KeyEntry]] = {}
        self._looked = monotonic()
        self._read()

    def find(self, key: str, now: int) -> KeyEntry | None:
        """Find the entry of a key that is good at a time (Unix ms), in a time that doesn't tell how nearly one was."""
        self._look()
        match = _KEY.fullmatch(key)
        if match is None:
            return None
        given = hash_of(key)
        same = [entry for entry in self._by_name.get(match[1], ()) if hmac.compare_digest(given, entry.sha256)]
        return next((entry for entry in same if not _is_over(entry, now)), None)

    def find_hashed(self, sha256: str, now: int) -> KeyEntry | None:
        """Find the entry of a key by its SHA-256, which nobody else could have given us."""
        self._look()
        entries = (entry for named in self._by_name.values() for entry in named)
        return next((entry for entry in entries if entry.sha256 == sha256 and not _is_over(entry, now)), None)

    def _look(self) -> None:
        if self._monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = self._monotonic()
        try:
            self._read()
        except SettingsError as error:
            if str(error) != self._fault:
                self._fault = str(error)
                log.error("keys.unreadable", file=str(self._path), reason=str(error), then="keeping those read before")

    def _read(self) -> None:
        try:
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{self._path} can't be read:", [str(error)]) from error
        if text == self._text:
            return
        by_name: dict[str, list[KeyEntry]] = {}
        for entry in read_keys(text, str(self._path)):
            by_name.setdefault(entry.name, []).append(entry)
        self._by_name, self._text, self._fault = by_name, text, ""
        log.info("keys.read", file=str(self._path), names=sorted(by_name))


def hash_of(key: str) -> str:
    """Give the SHA-256 of a key, as its entry has it."""
    return hashlib.sha256(key.encode()).hexdigest()


def _is_over(entry: KeyEntry, now: int) -> bool:
    return entry.expires_at is not None and entry.expires_at.timestamp() * 1000 <= now


def _faults(error: ValidationError) -> tuple[str, ...]:
    return faults_of([(fault["loc"], fault["msg"]) for fault in error.errors(include_url=False)])
