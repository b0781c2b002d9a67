"""Starts a program that ends when the one who started it does, even when that one is killed.

Linux sends the program a SIGTERM then; elsewhere it is started without that. The program takes this process's place,
so its process id is the one that the starter knows. Only the standard library is used: this must cost no time.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def leashed(*command: str) -> tuple[str, ...]:
    """Give the command line that runs `command` for as long as this process lives."""
    return (sys.executable, "-IS", __file__, str(os.getpid()), *command)


def main(words: Sequence[str]) -> None:
    """Become the program; `words` are the starter's process id and the program's command line."""
    starter, *command = words
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(starter):
            sys.exit("the process that asked for this is gone")
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
