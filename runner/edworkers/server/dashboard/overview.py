"""The first page: what is wrong, and how every queue stands."""

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.routing import BaseRoute

from edworkers.ports.books import Sample
from edworkers.server.dashboard import wording
from edworkers.server.dashboard.attention import Standing, concerns, standing
from edworkers.server.dashboard.charts import COLOURS, Chart, Line, Point, Spark, draw, spark
from edworkers.server.dashboard.site import Context, Site
from edworkers.server.dashboard.views import FRESH_SECONDS, HOUR_MS, STEP_MS, QueueView, Recent, usual_step


class QueueRow(NamedTuple):
    """One queue in the table."""

    view: QueueView
    standing: Sequence[Standing]
    recent: Recent
    depth: Spark
    done: Spark


def overview_routes(site: Site) -> list[BaseRoute]:
    """Give the route of the overview."""

    async def build(request: Request) -> Context:
        viewer = await site.viewer(request)
        queues = site.queues(viewer)

        async def collect() -> Context:
            return overview(await site.views.all(queues), site.platform.clock.now())

        return await site.views.fresh(f"overview {' '.join(queues)}", None, FRESH_SECONDS, collect)

    return [site.live_page("/", "overview.html", build)]


def overview(views: Sequence[QueueView], now: int) -> Context:
    """Collect what the page shows of these queues at a time (Unix ms)."""
    until = now // STEP_MS * STEP_MS
    since = until - HOUR_MS
    return {
        "concerns": concerns(views, now),
        "rows": [_row(view, now, since, until) for view in views],
        "totals": _totals(views, now),
        "charts": [_throughput(views, since, until), _depths(views, since, until)],
        "has_cluster": any(view.pools for view in views),
    }


def _row(view: QueueView, now: int, since: int, until: int) -> QueueRow:
    depth = spark(series(view.samples, "pending"), since=since, until=until)
    done = spark(per_minute(view.samples, "done"), since=since, until=until)
    return QueueRow(view, standing(view, now), view.recent(now), depth, done)


def _totals(views: Sequence[QueueView], now: int) -> dict[str, Any]:
    read = [view.depths for view in views if view.depths is not None]
    recent = [view.recent(now) for view in views]
    done = [each.done_a_minute for each in recent if each.done_a_minute is not None]
    ended = sum(each.ended for each in recent)
    failed = sum((each.failing or 0) * each.ended for each in recent)
    return {
        "pending": sum(depths.pending for depths in read),
        "inflight": sum(depths.inflight for depths in read),
        "delayed": sum(depths.delayed for depths in read),
        "dead": sum(depths.dead for depths in read),
        "runners": sum(depths.runners for depths in read),
        "slots": sum(view.slots or 0 for view in views),
        "done_a_minute": sum(done) if done else None,
        "failing": failed / ended if ended else None,
    }


def _throughput(views: Sequence[QueueView], since: int, until: int) -> Chart:
    lines = [
        Line("done", _summed(views, "done"), "c", is_filled=True),
        Line("failed attempts", _summed(views, "failed"), "b"),
    ]
    return draw("Jobs a minute, last hour", lines, since, until, write=wording.rate)


def _summed(views: Sequence[QueueView], name: str) -> list[Point]:
    sums: dict[int, float] = {}
    for view in views:
        for at, value in per_minute(view.samples, name):
            sums[at] = sums.get(at, 0) + (value or 0)
    return sorted(sums.items())


def _depths(views: Sequence[QueueView], since: int, until: int) -> Chart:
    lines = [
        Line(view.name, series(view.samples, "pending"), COLOURS[index % len(COLOURS)])
        for index, view in enumerate(views)
    ]
    return draw("Jobs that wait, last hour", lines, since, until)


def series(samples: Sequence[Sample], name: str) -> list[Point]:
    """Give one field of samples over time."""
    return [(sample.at, getattr(sample, name)) for sample in samples]


def per_minute(samples: Sequence[Sample], name: str) -> list[Point]:
    """Give a field that counts since the sample before as a rate, over a minute: ten seconds tell too little."""
    step = usual_step(samples)
    window: deque[tuple[int, int]] = deque()
    total = 0
    points: list[Point] = []
    for sample in samples:
        window.append((sample.at, getattr(sample, name)))
        total += window[-1][1]
        while window[0][0] <= sample.at - 60_000:
            total -= window.popleft()[1]
        points.append((sample.at, total * 60_000 / (len(window) * step)))
    return points
