"""Several settings, each read by itself, whose faults are told at once."""

from collections.abc import Callable
from typing import TypeVar

from edworkers.core.errors import SettingsError

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
T = TypeVar("T")


def together(first: Callable[[], A], second: Callable[[], B], third: Callable[[], C]) -> tuple[A, B, C]:
    """Read three settings.

    Raises SettingsError with every fault of all three, in their order.
    """
    errors: list[SettingsError] = []
    found = (_read(first, errors), _read(second, errors), _read(third, errors))
    a, b, c = found
    if errors or a is None or b is None or c is None:
        faults = [fault for error in errors for fault in error.faults]
        raise SettingsError("nothing was started, for these settings can't be used:", list(dict.fromkeys(faults)))
    return a, b, c


def _read(setting: Callable[[], T], errors: list[SettingsError]) -> T | None:
    try:
        return setting()
    except SettingsError as error:
        errors.append(error)
        return None
