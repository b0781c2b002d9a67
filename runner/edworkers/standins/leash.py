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


def leashed(
    *command: str, ends_by: signal.Signals = signal.SIGTERM, user: tuple[int, int] | None = None
) -> tuple[str, ...]:
    """Give the command line that runs `command` for as long as this process lives.

    `ends_by` is the signal that it gets when this process is gone; `user` the ids of the user and group that it
    becomes, which only root may ask for.
    """
    how = ":".join(str(number) for number in (os.getpid(), int(ends_by), *(user or ())))
    return (sys.executable, "-IS", __file__, how, *command)


def main(words: Sequence[str]) -> None:
    """Become the program; `words` are how (as `leashed` writes it) and the program's command line."""
    how, *command = words
    starter, ends_by, *user = map(int, how.split(":"))
    if user:
        os.setgroups([])
        os.setgid(user[1])
        os.setuid(user[0])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ends_by)  # after the user: a change of it takes this back
        if os.getppid() != starter:
            sys.exit("the process that asked for this is gone")
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
