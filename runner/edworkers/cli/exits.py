"""What the exit code of a command says."""

from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """Exit codes; the same in every command."""

    def __new__(cls, code: int, meaning: str) -> Self:
        """Make a code with what it says to people."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.__doc__ = meaning
        return member

    OK = 0, "it was done; of `result` and `--wait`: the job is done"
    FAILED = 1, "anything that isn't named here"
    USAGE = 2, "the command line or the settings can't be used"
    UNAVAILABLE = 3, "Redis, or the database that was asked for, can't be reached, or can't be used as it is"
    UNKNOWN = 4, "there is no record of such a job, or it is not in the dead letters"
    UNFINISHED = 5, "the job hasn't ended yet"
    DEAD = 6, "the job is in the dead letters"
    CANCELLED = 7, "the job was cancelled"
    DUPLICATE = 8, "nothing was enqueued, for the same job is known already"
    REFUSED = 9, "the job was not enqueued, for no runner would take it"
    ENDED = 10, "it was too late to cancel: the job had ended"
    STUCK = 70, "a handler couldn't be stopped, only its runner's process"
    INTERRUPTED = 130, "interrupted from the keyboard"


def epilog() -> str:
    """List all exit codes, for `edworkers --help`."""
    return "\n\n".join(["Exit codes:", *(f"- **{code.value}**: {code.__doc__}" for code in ExitCode)])
