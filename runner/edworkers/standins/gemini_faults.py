"""The faults that a prompt asks the Gemini stand-in for, as its own directives tell them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

_DIRECTIVE: Final = re.compile(r"\[\[\s*(then\s+)?(status|block|finish|empty|slow|garbage|drop)\b([^\[\]]*)\]\]")
_ARGUMENTS: Final = {
    "status": r"\s+(?P<argument>[45]\d\d)(\s+retry\s+(?P<retry>\d+(\.\d+)?s))?",
    "block": r"\s+(?P<argument>[A-Z_]+)",
    "finish": r"\s+(?P<argument>[A-Z_]+)",
    "slow": r"\s+(?P<argument>\d+(\.\d+)?)s",
}
_TIMES: Final = r"(\s+times\s+(?P<times>\d+))?\s*"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """One directive of a prompt. `argument` is the status, reason or seconds; `retry` is as written (`2.5s`).

    One that is `late` comes after the first piece of a streamed answer.
    """

    kind: str
    argument: str = ""
    retry: str | None = None
    times: int | None = None
    late: bool = False


class RefusedError(Exception):
    """The request is answered with an error. `details` are google.rpc messages, each with its `@type`."""

    def __init__(self, code: int, message: str, details: Iterable[Json] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = list(details)


def faults_in(prompt: str) -> list[Fault]:
    """Read the directives of a prompt, in their order. Raises RefusedError for one that cannot be read."""
    return [_fault(*found.group(0, 1, 2, 3)) for found in _DIRECTIVE.finditer(prompt)]


def _fault(directive: str, then: str | None, kind: str, rest: str) -> Fault:
    read = re.fullmatch(_ARGUMENTS.get(kind, "") + _TIMES, rest)
    if read is None:
        raise RefusedError(400, f"The Gemini stand-in cannot read the directive {directive}")
    told = read.groupdict()
    times = told["times"]
    often = None if times is None else int(times)
    return Fault(kind, told.get("argument") or "", told.get("retry"), often, late=then is not None)


def fault_due(faults: Iterable[Fault], seen: int) -> Fault | None:
    """Choose the fault for a prompt that was seen `seen` times before, if there is one left."""
    for fault in faults:
        if fault.times is None or seen < fault.times:
            return fault
        seen -= fault.times
    return None
