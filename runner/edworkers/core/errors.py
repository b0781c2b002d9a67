"""The errors that edworkers raises; adapters translate their libraries' errors into these."""

from collections.abc import Sequence


class EdworkersError(Exception):
    """Any error of edworkers' own; its text says what to do."""


class FaultsError(EdworkersError):
    """Something with several faults, all named at once."""

    def __init__(self, summary: str, faults: Sequence[str]) -> None:
        self.summary = summary
        self.faults = tuple(faults)
        super().__init__("\n".join([summary, *(f"  - {fault}" for fault in faults)]))


class SettingsError(FaultsError):
    """Settings with which nothing can start."""


class InvalidJobError(FaultsError):
    """A job that can't be enqueued as it is."""


class UnknownQueueError(EdworkersError):
    """A queue that no pool serves."""


class UnknownJobError(EdworkersError):
    """A job id of which the queue has no record."""


class QueueUnavailableError(EdworkersError):
    """Redis can't be reached or doesn't answer; what was asked may or may not have happened."""


class ServerBusyError(QueueUnavailableError):
    """Redis is well, but this process asks it so much that a question had no turn in time; it wasn't asked."""


class UnsafeRedisError(EdworkersError):
    """A Redis that could lose jobs by its own configuration."""


class StorageError(EdworkersError):
    """An object that can't be read or written."""


class NotStoredError(StorageError):
    """There is no such object."""


class StorageRefusedError(StorageError):
    """An object to which there is no access, or that lies outside of what is allowed."""


class StorageUnavailableError(StorageError):
    """A store that can't be reached or doesn't answer: to be tried again."""


class DatabaseUnavailableError(EdworkersError):
    """PostgreSQL can't be reached or doesn't answer: to be tried again."""


class MigrationError(EdworkersError):
    """A database that can't be brought up to date as it is."""


class LedgerError(EdworkersError):
    """A ledger that can't be written in the database as it is."""


class AddressRefusedError(EdworkersError):
    """An address of a stranger's choice that is not on the internet, and in no network that is allowed."""


class MailUnavailableError(EdworkersError):
    """A mail server that can't be reached, or wouldn't talk: nothing was sent, and it is to be tried again."""

    def __init__(self, message: str, *, kind: str = "connection") -> None:
        self.kind = kind
        super().__init__(message)


class MailUnknownError(EdworkersError):
    """A mail server that fell silent after the whole message: it may have been sent, or not."""
