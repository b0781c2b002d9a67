"""From figures over time to lines: paths of SVG, axes with round numbers, and gaps shown as gaps. Pure."""

import itertools
import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from edworkers.server.dashboard import wording

Point = tuple[int, float | None]
"""A time (Unix ms) and a figure; None where there was none."""

COLOURS = "abcdefg"
STEP_MS = 10_000
"""Between two samples at the least."""
WIDE, NARROW = 580.0, 420.0
"""Of two charts side by side, and of three: so that their text is about as large as other text."""
_HEIGHT = 190.0
_LEFT, _TOP, _BOTTOM, _MARGIN = 46.0, 8.0, 166.0, 10.0
_MINUTE = 60_000
_TIME_STEPS = (1, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880)
"""Minutes between two times on the axis."""
_PIXELS_A_TIME = 80
_MOST_POINTS = 180
_MOST_SPARK_POINTS = 60
_GAP_STEPS = 2.5
"""A line is broken where the next sample comes after more than so many of the usual steps."""


class Tick(NamedTuple):
    """A place on an axis."""

    at: float
    label: str


class Line(NamedTuple):
    """Figures with a name, to be drawn."""

    name: str
    points: Sequence[Point]
    colour: str = "a"
    is_filled: bool = False


class Drawn(NamedTuple):
    """A line as it is drawn."""

    name: str
    colour: str
    path: str
    area: str


class Chart(NamedTuple):
    """A chart as `ui.chart` draws it."""

    title: str
    series: Sequence[Drawn]
    y_ticks: Sequence[Tick]
    x_ticks: Sequence[Tick]
    rows: Sequence[Sequence[str]]
    """The same as a table: a time, then a figure for each line; the latest first."""
    summary: str
    hover: str
    """JSON for the page's script: where each time is, and what to tell there."""
    is_empty: bool
    nothing: str
    width: float
    right: float
    height: float = _HEIGHT
    left: float = _LEFT


class Spark(NamedTuple):
    """A small line as `ui.spark` draws it."""

    path: str
    area: str
    width: float
    height: float


def draw(
    title: str,
    lines: Sequence[Line],
    since: int,
    until: int,
    *,
    write: Callable[[float | None], str] = wording.short_count,
    nothing: str = "No figures yet: they are taken every 10 seconds while a server runs.",
    least_top: float = 4,
    width: float = WIDE,
) -> Chart:
    """Draw lines between two times (Unix ms); `write` writes a figure, `least_top` is how high the axis is at least.

    Lines of one chart have their points at the same times.
    """
    lines = [line._replace(points=thin(line.points, _MOST_POINTS)) for line in lines]
    known = [value for line in lines for at, value in line.points if value is not None and since <= at <= until]
    steps = nice_ticks(max([least_top, *known]))
    box = _Box(since, until, steps[-1], right=width - _MARGIN)
    return Chart(
        title=title,
        series=[_draw_line(line, box) for line in lines],
        y_ticks=[Tick(round(box.y(step), 1), write(step)) for step in steps],
        x_ticks=[
            Tick(round(box.x(at), 1), label) for at, label in time_ticks(since, until, int(width / _PIXELS_A_TIME))
        ],
        rows=_rows(lines, write),
        summary=_summary(title, lines, write),
        hover=_hover(lines, box, write),
        is_empty=not known,
        nothing=nothing,
        width=width,
        right=box.right,
    )


def spark(points: Sequence[Point], *, width: float = 72, height: float = 24, since: int, until: int) -> Spark:
    """Draw a small line between two times, from 0 to its own height."""
    top = max([1.0, *(value for _, value in points if value is not None)])
    box = _Box(since, until, top, 0.0, width, 2.0, height - 2)
    line = _draw_line(Line("", thin(points, _MOST_SPARK_POINTS), is_filled=True), box)
    return Spark(line.path, line.area, width, height)


def thin(points: Sequence[Point], most: int) -> list[Point]:
    """Give at most some `most` points: the mean of as many as it takes, at the time of the last of them.

    The groups begin at round times, so that a point stays as it is while newer ones come.
    """
    if len(points) <= most:
        return list(points)
    size = math.ceil((points[-1][0] - points[0][0] + 1) / most / STEP_MS) * STEP_MS
    groups = itertools.groupby(points, lambda point: point[0] // size)
    return [_mean(list(group)) for _, group in groups]


def _mean(points: Sequence[Point]) -> Point:
    known = [value for _, value in points if value is not None]
    return points[-1][0], sum(known) / len(known) if known else None


def nice_ticks(most: float, count: int = 4) -> list[float]:
    """Give round numbers from 0 up to the first at or above `most`, some `count` of them."""
    if not math.isfinite(most) or most <= 0:
        return [0.0, 1.0]
    rough = most / count
    magnitude = 10.0 ** math.floor(math.log10(rough))
    factors = (1, 2, 2.5, 5, 10) if magnitude >= 10 else (1, 2, 5, 10)  # no halves of a job
    step = next(factor * magnitude for factor in factors if factor * magnitude >= rough * (1 - 1e-9))
    number = math.ceil(most / step - 1e-9)
    return [round(step * index, 10) for index in range(number + 1)]


def time_ticks(since: int, until: int, most: int = 7) -> list[tuple[int, str]]:
    """Give round times (UTC) between two, some `most`, with labels: the day where one begins."""
    minutes = max((until - since) / _MINUTE, 1)
    step = next((size for size in _TIME_STEPS if minutes / size <= most), _TIME_STEPS[-1]) * _MINUTE
    first = -(-since // step) * step
    return [(at, _time_label(at, is_days=step >= 1440 * _MINUTE)) for at in range(first, until + 1, step)]


def _time_label(at: int, *, is_days: bool) -> str:
    moment = datetime.fromtimestamp(at / 1000, UTC)
    is_midnight = moment.hour == 0 and moment.minute == 0
    return f"{moment:%d %b}".lstrip("0") if is_days or is_midnight else f"{moment:%H:%M}"


class _Box(NamedTuple):
    since: int
    until: int
    highest: float
    left: float = _LEFT
    right: float = WIDE - _MARGIN
    top: float = _TOP
    bottom: float = _BOTTOM

    def x(self, at: int) -> float:
        share = (at - self.since) / max(self.until - self.since, 1)
        return self.left + share * (self.right - self.left)

    def y(self, value: float) -> float:
        return self.bottom - min(value / self.highest, 1) * (self.bottom - self.top)


def _draw_line(line: Line, box: _Box) -> Drawn:
    pieces = [_places(piece, box) for piece in unbroken(line.points, box.since, box.until)]
    path = "".join(_path(piece) for piece in pieces)
    area = "".join(_area(piece, box.bottom) for piece in pieces) if line.is_filled else ""
    return Drawn(line.name, line.colour, path, area)


def unbroken(points: Sequence[Point], since: int, until: int) -> list[list[tuple[int, float]]]:
    """Split points where a figure is missing, or where none was taken for longer than usual."""
    seen = [(at, value) for at, value in points if since <= at <= until]
    usual = _usual_step([at for at, _ in seen])
    pieces: list[list[tuple[int, float]]] = []
    last: int | None = None
    for at, value in seen:
        if value is None:
            last = None
            continue
        if last is None or at - last > usual * _GAP_STEPS:
            pieces.append([])
        pieces[-1].append((at, value))
        last = at
    return pieces


def _usual_step(times: Sequence[int]) -> float:
    steps = sorted(after - before for before, after in itertools.pairwise(times))
    return steps[len(steps) // 2] if steps else 0


def _places(piece: Sequence[tuple[int, float]], box: _Box) -> list[tuple[float, float]]:
    return [(box.x(at), box.y(value)) for at, value in piece]


def _path(places: Sequence[tuple[float, float]]) -> str:
    (x, y), *more = places
    if not more:
        return f"M{x - 1:.1f} {y:.1f}h2"  # or a single sample would be drawn as nothing
    return f"M{x:.1f} {y:.1f}" + "".join(f"L{x:.1f} {y:.1f}" for x, y in more)


def _area(places: Sequence[tuple[float, float]], bottom: float) -> str:
    if len(places) == 1:
        return ""
    return f"{_path(places)}L{places[-1][0]:.1f} {bottom:.1f}L{places[0][0]:.1f} {bottom:.1f}Z"


_MOST_ROWS = 120


def _rows(lines: Sequence[Line], write: Callable[[float | None], str]) -> list[list[str]]:
    if not lines:
        return []
    columns = [dict(line.points) for line in lines]
    times = sorted({at for column in columns for at in column}, reverse=True)[:_MOST_ROWS]
    return [[wording.moment(at)[:16], *(write(column.get(at)) for column in columns)] for at in times]


def _summary(title: str, lines: Sequence[Line], write: Callable[[float | None], str]) -> str:
    told: list[str] = []
    for line in lines:
        known = [value for _, value in line.points if value is not None]
        if known:
            told.append(f"{line.name}: now {write(known[-1])}, at most {write(max(known))}")
    return f"{title}. {'; '.join(told) or 'No figures'}."


def _hover(lines: Sequence[Line], box: _Box, write: Callable[[float | None], str]) -> str:
    columns = [dict(line.points) for line in lines]
    times = sorted({at for column in columns for at in column if box.since <= at <= box.until})
    return json.dumps(
        {
            "names": [line.name for line in lines],
            "at": times,
            "x": [round(box.x(at), 1) for at in times],
            "told": [[write(column.get(at)) for column in columns] for at in times],
            "top": box.top,
            "bottom": box.bottom,
            "width": box.right + _MARGIN,
        },
        separators=(",", ":"),
    )
