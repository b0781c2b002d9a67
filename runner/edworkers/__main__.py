"""Where the `edworkers` command begins."""

import os
import signal
import sys


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


def main() -> None:
    """Run the command line; errors of edworkers' own are told in plain words, on stderr."""
    end_when_told_to_stop(os.getpid())
    from edworkers.cli.report import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
