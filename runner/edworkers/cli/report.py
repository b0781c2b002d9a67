"""Runs the command line, and tells what went wrong in plain words: on stderr, as text or as JSON."""

import sys
from collections.abc import Sequence

import typer

from edworkers.cli.exits import ExitCode
from edworkers.core.errors import (
    DatabaseUnavailableError,
    EdworkersError,
    InvalidJobError,
    QueueUnavailableError,
    SettingsError,
    UnknownJobError,
    UnknownQueueError,
    UnsafeRedisError,
)

_CODES: dict[type[EdworkersError], ExitCode] = {
    SettingsError: ExitCode.USAGE,
    UnknownQueueError: ExitCode.USAGE,
    QueueUnavailableError: ExitCode.UNAVAILABLE,
    DatabaseUnavailableError: ExitCode.UNAVAILABLE,
    UnsafeRedisError: ExitCode.UNAVAILABLE,
    UnknownJobError: ExitCode.UNKNOWN,
    InvalidJobError: ExitCode.REFUSED,
}


def run(arguments: Sequence[str]) -> int:
    """Run a command; returns the exit code. With `--json` errors are one JSON object on stderr."""
    from edworkers.cli.app import app

    words = list(arguments)
    as_json = "--json" in (words[: words.index("--")] if "--" in words else words)
    try:
        return int(app(words, prog_name="edworkers", standalone_mode=not as_json) or 0)
    except EdworkersError as error:
        summary, *faults = str(error).split("\n  - ")
        tell_error(summary, faults, as_json=as_json)
        return _CODES.get(type(error), ExitCode.FAILED)
    except typer.TyperException as error:
        tell_error(error.format_message(), as_json=as_json)
        return error.exit_code
    except typer.Abort:
        return ExitCode.FAILED


def tell_error(summary: str, faults: Sequence[str] = (), *, as_json: bool) -> None:
    """Write an error and its faults on stderr."""
    from edworkers.cli.show import as_json_text, safe

    if as_json:
        text = as_json_text({"error": summary, "faults": list(faults)}, sys.stderr)
    else:
        text = safe("\n".join([f"edworkers: {summary}", *(f"  - {fault}" for fault in faults)]), lines=True)
    sys.stderr.write(f"{text}\n")
