"""Parameters of reports: from JSON to values that are bound to the query, and never become part of its text."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

_LARGEST = 2**63


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that a report takes."""

    name: str
    type: str
    optional: bool = False
    """Whether it may be left out, and is NULL then."""


def _text(value: Any) -> Any:
    return value if isinstance(value, str) and "\x00" not in value else None


def _integer(value: Any) -> Any:
    return value if type(value) is int and -_LARGEST <= value < _LARGEST else None


def _number(value: Any) -> Any:
    return value if type(value) in {int, float} and math.isfinite(value) else None


def _boolean(value: Any) -> Any:
    return value if isinstance(value, bool) else None


def _date(value: Any) -> Any:
    return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None


def _timestamp(value: Any) -> Any:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    return moment if moment is not None and moment.tzinfo is not None else None


TYPES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "text": (_text, "text"),
    "integer": (_integer, "a whole number"),
    "number": (_number, "a number"),
    "boolean": (_boolean, "true or false"),
    "date": (_date, "a date such as 2026-01-31"),
    "timestamp": (_timestamp, "a time with its zone such as 2026-01-31T12:00:00Z"),
}


def bind(parameters: Sequence[Parameter], given: Mapping[str, Any], faults: list[str]) -> dict[str, Any]:
    """Read the values that a job gives, and add to `faults` what is wrong with them."""
    known = {parameter.name for parameter in parameters}
    for name in sorted(given.keys() - known):
        takes = ", ".join(sorted(known)) or "none"
        faults.append(f"parameters.{name[:60]}: the report takes no such parameter (it takes: {takes})")
    return {parameter.name: _value(parameter, given, faults) for parameter in parameters}


def _value(parameter: Parameter, given: Mapping[str, Any], faults: list[str]) -> Any:
    value = given.get(parameter.name)
    read, what = TYPES[parameter.type]
    if value is None:
        if not parameter.optional:
            faults.append(f"parameters.{parameter.name}: missing; it must be {what}")
        return None
    try:
        bound = read(value)
    except ValueError:
        bound = None
    if bound is None:
        faults.append(f"parameters.{parameter.name}: must be {what}")
    return bound
