"""Where the `edworkers` command begins."""

import importlib
import os
import signal
import sys
from typing import Any

_UNUSED = {"structlog": ("rich", "greenlet"), "redis.asyncio": ("opentelemetry", "rich")}
"""What libraries load wherever it is installed, only to have it should somebody ask."""


def end_when_told_to_stop(pid: int) -> None:
    """Let SIGTERM end a process that is the first of a container, from the start.

    The kernel passes by a signal for process 1 that has no handler for it. A pod that is told to stop while Python
    still loads would go on, claim jobs, and be killed with them at the end of its grace. A runner takes the signal over
    once it has something to finish.
    """
    if pid == 1:
        signal.signal(signal.SIGTERM, _end)


def _end(_number: int, _frame: object) -> None:
    os._exit(0)


def load_lean() -> None:
    """Load these libraries as if that weren't installed: a fifth of a runner's start, and 7 MiB of it.

    Nothing here has structlog draw tracebacks or know of greenlets, or redis count its calls. Who uses that for itself
    finds it as ever.
    """
    modules: dict[str, Any] = sys.modules
    for name, unused in _UNUSED.items():
        hidden = [other for other in unused if other not in modules]
        modules.update(dict.fromkeys(hidden))  # an import of what stands there as None is refused
        try:
            importlib.import_module(name)
        finally:
            for other in hidden:
                del modules[other]


def main() -> None:
    """Run the command line; errors of edworkers' own are told in plain words, on stderr."""
    end_when_told_to_stop(os.getpid())
    from edworkers.cli.loading import begin_loading

    begin_loading()
    load_lean()
    from edworkers.cli.report import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
