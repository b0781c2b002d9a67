"""What a limiter is expected to allow."""

from collections.abc import Callable
from dataclasses import dataclass, field

MINUTE_MS = 60_000


@dataclass(slots=True)
class Reserved:
    """What was granted at once, less what was given back."""

    at: int
    count: int
    is_closed: bool = False


@dataclass(slots=True)
class ModelLimiter:
    """A rolling minute and a month that doesn't end."""

    now: Callable[[], int]
    minute: int = 4
    month: int = 9
    reserved: list[Reserved] = field(default_factory=list[Reserved])

    def used(self) -> dict[str, int]:
        fresh = self.now() - MINUTE_MS
        burst = sum(reserved.count for reserved in self.reserved if reserved.at > fresh)
        return {"burst": burst, "month": sum(reserved.count for reserved in self.reserved)}

    def reserve(self, count: int) -> tuple[int, str, bool]:
        used = self.used()
        granted = min(count, self.minute - used["burst"], self.month - used["month"])
        if granted <= 0:
            return 0, "month" if used["month"] >= self.month else "burst", True
        self.reserved.append(Reserved(self.now(), granted))
        return granted, "", False

    def refund(self, which: int, count: int) -> None:
        reserved = self.reserved[which]
        if not reserved.is_closed:
            reserved.count -= min(count, reserved.count)
            reserved.is_closed = True
