"""`python -m edworkers_operator`: the operator; `apply-crd` puts its CRD into the cluster instead."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from edworkers.core.errors import SettingsError
from edworkers_operator.logs import log_as
from edworkers_operator.settings import read_settings

log: structlog.stdlib.BoundLogger = structlog.get_logger("edworkers.operator")

_FAILED = 1
_USAGE = 2


def main() -> int:
    """Run; returns the exit code: 0 when stopped, 1 when it failed or lost its Lease, 2 where settings are wrong."""
    # The kernel passes by a signal for a container's first process that has no handler for it yet.
    signal.signal(signal.SIGTERM, _end)
    log_as(os.environ.get("EDWORKERS_LOG_FORMAT", "json"), os.environ.get("EDWORKERS_LOG_LEVEL", "info"))
    words = sys.argv[1:]
    if words == ["apply-crd"]:
        from edworkers_operator.apply_crd import apply_crd

        return run(apply_crd)
    if words:
        sys.stderr.write(f"usage: python -m edworkers_operator [apply-crd]; what is {' '.join(words)!r}?\n")
        return _USAGE
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return _USAGE
    from edworkers_operator.compose import run_operator

    return run(lambda: run_operator(settings))


def _end(_number: int, _frame: object) -> None:
    os._exit(0)


def run(work: Callable[[], Awaitable[None]]) -> int:
    """Run until it ends or a signal ends it; what went wrong is told in one line."""
    faults: list[Exception] = []
    try:
        asyncio.run(_until_signalled(work))
    except* Exception as errors:  # noqa: BLE001 - the last that can tell it
        faults += leaves(errors)
    for fault in faults:
        _tell(fault)
    return _FAILED if any(map(_is_fault, faults)) else 0


async def _until_signalled(work: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.ensure_future(work())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


def leaves(errors: BaseExceptionGroup[Exception]) -> list[Exception]:
    """Give the errors in a group, and in the groups in it."""
    found: list[Exception] = []
    for error in errors.exceptions:
        found += leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _is_fault(error: Exception) -> bool:
    from edworkers_operator.compose import Stopped

    return not isinstance(error, Stopped)


def _tell(error: Exception) -> None:
    from edworkers_operator.cluster import ClusterError
    from edworkers_operator.leader import LeaseLostError

    if isinstance(error, ClusterError | LeaseLostError | TimeoutError | OSError):
        log.error("operator.failed", reason=str(error) or type(error).__name__)
    elif _is_fault(error):
        log.error("operator.failed", exc_info=error)


if __name__ == "__main__":
    sys.exit(main())
