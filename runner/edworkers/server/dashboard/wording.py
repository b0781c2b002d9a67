"""How figures are written for people: counts, lengths of time, sizes and moments."""

from datetime import UTC, datetime

THIN = "\N{NARROW NO-BREAK SPACE}"
NOTHING = "\N{EN DASH}"
_LENGTHS = ((172_800, 86_400, "d"), (7_200, 3_600, "h"), (120, 60, "min"))
"""From how many seconds on a unit is used, its own seconds, its name."""
_SIZES = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))
_SHORT = ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k"))


def count(number: float | None) -> str:
    """Write a number with a thin space between thousands; a dash where there is none."""
    if number is None:
        return NOTHING
    return f"{number:,.0f}".replace(",", THIN)


def short_count(number: float | None) -> str:
    """Write a number in at most five signs: `12.3k`, `1.0M`; numbers below 10,000 as they are."""
    if number is None:
        return NOTHING
    for least, unit in _SHORT:
        if number >= least:
            divisor = 1_000 if unit == "k" else least
            return f"{number / divisor:.{1 if number < 100 * divisor else 0}f}{unit}"
    return count(number)


def rate(number: float | None) -> str:
    """Write how many a minute: with one digit after the point where they are few."""
    if number is None:
        return NOTHING
    return f"{number:.1f}" if 0 < number < 10 else count(number)


def percent(share: float | None) -> str:
    """Write a part of one as a percentage; what is small is never shown as nothing."""
    if share is None:
        return NOTHING
    if 0 < share < 0.001:
        return f"<0.1{THIN}%"
    return f"{share * 100:.{1 if 0 < share < 0.1 else 0}f}{THIN}%"


def length(seconds: float | None) -> str:
    """Write how long something takes: `240 ms`, `3.2 s`, `5 min`, `3 d`."""
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{seconds * 1000:.0f}{THIN}ms"
    for least, size, unit in _LENGTHS:
        if seconds >= least:
            return f"{seconds / size:.0f}{THIN}{unit}"
    return f"{seconds:.{1 if seconds < 10 else 0}f}{THIN}s"


def length_ms(milliseconds: float | None) -> str:
    """Write how long something takes, given in milliseconds."""
    return length(None if milliseconds is None else milliseconds / 1000)


def distance(milliseconds: float) -> str:
    """Write how far a moment is: `in 5 min`, `3 d ago`, `now`."""
    if abs(milliseconds) < 1000:
        return "now"
    shown = length(abs(milliseconds) / 1000 if abs(milliseconds) >= 10_000 else round(abs(milliseconds) / 1000))
    shown = shown.replace(".0", "")
    return f"in {shown}" if milliseconds > 0 else f"{shown} ago"


def size(number: float | None) -> str:
    """Write a number of bytes: `512 B`, `1.5 MiB`."""
    if number is None:
        return NOTHING
    for least, unit in _SIZES:
        if number >= least:
            return f"{number / least:.1f}{THIN}{unit}".replace(".0", "")
    return f"{number:.0f}{THIN}B"


def iso(milliseconds: int | None) -> str:
    """Write a moment (Unix ms) for programs; empty where it can't be."""
    moment = _moment(milliseconds)
    return "" if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(milliseconds: int | None) -> str:
    """Write a moment (Unix ms) in full: `2026-11-30 20:58:29 UTC`."""
    at = _moment(milliseconds)
    return NOTHING if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def clock(milliseconds: int | None, *, seconds: bool = False) -> str:
    """Write a moment's time of day in UTC: `20:58`."""
    at = _moment(milliseconds)
    return NOTHING if at is None else f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"


def plural(number: float, one: str, many: str | None = None) -> str:
    """Write a count with its noun: `1 job`, `12 jobs`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def _moment(milliseconds: int | None) -> datetime | None:
    if milliseconds is None:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
