"""Runs a program in a sealed room: `python sealed.py FOLDER PROGRAM ARGUMENT…`.

Whatever a document asks of LibreOffice, the kernel gives it no socket but local ones (seccomp), so that nothing reaches
the network, not even a question for a name; and no files but its own, the system's fonts and libraries, and FOLDER
(Landlock, where the kernel has it). Every process may do so to itself, in a container without any rights, too, and all
that it starts inherits it. This file is started as a script, and must need nothing but the standard library.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress

_NO_NEW_PRIVS, _SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EACCES
_NUMBER, _ARCHITECTURE, _FAMILY = 0, 4, 16  # where they are in what a filter is given
_UNIX = 1
_IO_URING_SETUP = 425
_X32 = 0x40000000
# For each machine: how the kernel calls it, and its number of the system call `socket`.
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # on every machine
_ASK_VERSION = 1
_RULE_PATH_BENEATH = 1
_ANY_FILE_RIGHT = (1 << 13) - 1  # those that the first version of Landlock knows
_SOCKET = 1 << 9 | 1 << 5  # to make a local one, and to remove it
_READ = 0b1101  # to run a file, to read one, to list a folder
_OF_A_FILE = 0b0111  # to run it, to write and to read it
_READABLE = (
    *("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/var/cache/fontconfig", "/sys/devices/system/cpu"),
    *("/var/spool/libreoffice", "/var/lib/libreoffice"),  # where its extensions would be
    *(f"/etc/{name}" for name in ("fonts", "libreoffice", "alternatives", "ld.so.cache", "ld.so.conf")),
    *(f"/etc/{name}" for name in ("ld.so.conf.d", "nsswitch.conf", "passwd", "group", "localtime", "papersize")),
)
_FOR_SOCKETS = ("/tmp", "/var/tmp")  # noqa: S108 - the program's own choice, by which it asks whether it runs already
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


def can_seal() -> bool:
    """Say whether this machine's kind is known."""
    return sys.platform == "linux" and platform.machine() in _MACHINES


def make_filter(machine: str) -> bytes:
    """Write the filter: `socket` is refused but for local sockets, everything else goes through.

    Calls by the numbers of another kind of machine, which would get past it, end the program. A ring of calls is
    refused, for what is in it no filter sees.
    """
    architecture, socket = _MACHINES[machine]
    return b"".join(
        struct.pack("=HBBI", *step)
        for step in (
            (_LOAD, 0, 0, _ARCHITECTURE),
            (_JUMP_EQUAL, 0, 8, architecture),
            (_LOAD, 0, 0, _NUMBER),
            (_JUMP_AT_LEAST, 6, 0, _X32),
            (_JUMP_EQUAL, 4, 0, _IO_URING_SETUP),
            (_JUMP_EQUAL, 0, 2, socket),
            (_LOAD, 0, 0, _FAMILY),
            (_JUMP_EQUAL, 0, 1, _UNIX),
            (_RETURN, 0, 0, _ALLOW),
            (_RETURN, 0, 0, _REFUSE),
            (_RETURN, 0, 0, _KILL),
        )
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def seal(folder: str, program: str) -> None:
    """Take the network and other people's files from this process for good. Raises OSError where the kernel can't."""
    libc = ctypes.CDLL(None, use_errno=True)
    _control(libc, _NO_NEW_PRIVS, 1)
    if libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION) > 0:
        _keep_to_files(libc, (*_READABLE, _home_of(program)), (*_DEVICES, folder))
    steps = make_filter(platform.machine())
    program_of_steps = _Program(len(steps) // 8, steps)
    _control(libc, _SET_SECCOMP, _MODE_FILTER, ctypes.byref(program_of_steps))


def _home_of(program: str) -> str:
    """Name the folder in which a program and all that belongs to it lie: /opt/office of /opt/office/program/soffice."""
    folder = os.path.dirname(os.path.realpath(program))  # noqa: PTH120 - no pathlib, for it must start fast
    return os.path.dirname(folder) if os.path.basename(folder) == "program" else folder  # noqa: PTH119, PTH120


def _control(libc: ctypes.CDLL, *words: object) -> None:
    if libc.prctl(*words, *[0] * (5 - len(words))) != 0:
        raise OSError(ctypes.get_errno(), "LibreOffice can't be kept off the network")


def _keep_to_files(libc: ctypes.CDLL, readable: Iterable[str], writable: Sequence[str]) -> None:
    handled = struct.pack("=Q", _ANY_FILE_RIGHT)
    ruleset = libc.syscall(_CREATE_RULESET, handled, len(handled), 0)
    for path in readable:
        _allow(libc, ruleset, path, _READ)
    for path in _FOR_SOCKETS:
        _allow(libc, ruleset, path, _SOCKET)
    for path in writable:
        _allow(libc, ruleset, path, _ANY_FILE_RIGHT)
    if libc.syscall(_RESTRICT_SELF, ruleset, 0) != 0:
        raise OSError(ctypes.get_errno(), "LibreOffice can't be kept to its own files")
    os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    with suppress(OSError):  # what is not there needs no right
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
        if not os.path.isdir(path):  # noqa: PTH112 - a script that starts fast needs no pathlib
            rights &= _OF_A_FILE
        rule = struct.pack("=Qi", rights, beneath)
        libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
        os.close(beneath)


if __name__ == "__main__":
    seal(sys.argv[1], sys.argv[2])
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - to become this program is what it is for
