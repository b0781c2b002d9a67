"""When a schedule runs next, as a CronJob's controller reckons it, and what its cron says in words.

Where the clocks change, the controller keeps to the clock on the wall: a time that is left out doesn't happen, and one
that comes twice happens twice. Cronsim does so for expressions with seconds, which is why it is given some.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_TERM = re.compile(r"(?P<first>\*|\?|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>[1-9]\d{0,3}))?")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()

    def expand(self, text: str) -> str:
        """Write a field as its numbers, or as `*` where the controller takes it for one: then cronsim does, too."""
        terms = [self._term(term) for term in text.split(",")]
        if any(term is None for term in terms):
            return "*"
        return ",".join(str(number) for number in sorted({number for term in terms for number in term or ()}))

    def _term(self, term: str) -> range | None:
        match = _TERM.fullmatch(term)
        if match is None:
            raise ValueError(f"{self.name}: {term!r} is no number, name, range or step")
        step = int(match["step"] or 1)
        if match["first"] in "*?":
            if match["last"] is not None:
                raise ValueError(f"{self.name}: {term!r} begins a range with a star")
            return None if step == 1 else range(self.least, self.most + 1, step)
        first = self._number(match["first"])
        last = self._number(match["last"]) if match["last"] else self.most if match["step"] else first
        if first > last:
            raise ValueError(f"{self.name}: {term!r} ends before it begins")
        return range(first, last + 1, step)

    def _number(self, word: str) -> int:
        number = int(word[:9]) if word.isascii() and word.isdigit() else self._named(word.lower())
        if not self.least <= number <= self.most:
            raise ValueError(f"{self.name}: {word!r} is not from {self.least} to {self.most}")
        return number

    def _named(self, word: str) -> int:
        return self.names.index(word) + self.least if word in self.names else -1


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 0, 6, _DAYS),
)


def next_run(cron: str, time_zone: str, after: int) -> int | None:
    """Say when (Unix ms) a schedule runs next after a time (Unix ms); None if it never does.

    Raises ValueError for what is no cron that a CronJob takes, and for an unknown time zone.
    """
    start = datetime.fromtimestamp(after / 1000, UTC).astimezone(_zone(time_zone))
    try:
        found = next(CronSim(f"0 {_expand(cron)}", start))
    except (StopIteration, CronSimError):  # a day that no month has
        return None
    return round(found.timestamp() * 1000)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a time zone; take a name such as America/Los_Angeles or Etc/UTC") from error


def _expand(cron: str) -> str:
    return " ".join(field.expand(part) for field, part in zip(_FIELDS, _parts(cron), strict=True))


def _parts(cron: str) -> list[str]:
    parts = _MACROS.get(cron.strip().lower(), cron).split()
    if len(parts) != len(_FIELDS):
        raise ValueError(f"{cron!r} is not five fields of cron: minute hour day month weekday")
    return parts


def in_words(cron: str) -> str:
    """Say a cron in words, such as `At 02:30 every day`; as it is where there are none for it.

    Raises ValueError for what is no cron that a CronJob takes.
    """
    parts = _parts(cron)
    _expand(cron)
    try:
        return CronSim(" ".join(parts).replace("?", "*"), datetime(2026, 1, 1, tzinfo=UTC)).explain()
    except CronSimError:
        return cron
