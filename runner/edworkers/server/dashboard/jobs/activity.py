"""Activity: who did what, the latest first."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.routing import Route

from edworkers.ports.books import Deed
from edworkers.server.access.identity import Identity
from edworkers.server.dashboard.site import Context, Site
from edworkers.server.problems import Problem

_PAGE = 50
_READ_AT_ONCE = 200
_MOST_READ = 2000
"""How many entries are looked at for a page; where few fit, the page ends sooner, and the next one goes on."""
VERBS = {
    "cancel": "cancelled",
    "drop": "deleted",
    "edit": "edited",
    "enqueue": "enqueued",
    "login": "logged in",
    "pause": "paused",
    "replay": "replayed",
    "resume": "resumed",
    "reveal": "looked at unmasked",
    "run": "ran a schedule",
    "undo": "undid",
    "cancel-end": "finished cancelling",
    "drop-end": "finished deleting",
    "replay-end": "finished replaying",
}


class _Filter(NamedTuple):
    """Which entries are shown."""

    who: str
    what: str
    queue: str

    def fits(self, deed: Deed) -> bool:
        return self.who.lower() in deed.who.lower() and self.what in ("", deed.what) and self.queue in ("", deed.queue)


def activity_routes(site: Site) -> list[Route]:
    """Give the page's route."""

    async def build(request: Request) -> Context:
        viewer = await site.viewer(request)
        asked = request.query_params
        chosen = _Filter(*(asked.get(name, "").strip()[:100] for name in _Filter._fields))
        deeds, after = await _read(site, viewer, chosen, asked.get("before") or None)
        more = {name: value for name, value in chosen._asdict().items() if value}
        return {
            "deeds": deeds,
            "verbs": VERBS,
            "chosen": chosen,
            "next_href": f"/activity?{urlencode({**more, 'before': after})}" if after else None,
            "is_first": "before" not in asked,
        }

    return [site.live_page("/activity", "jobs/activity.html", build)]


async def _read(site: Site, viewer: Identity, chosen: _Filter, before: str | None) -> tuple[Sequence[Deed], str | None]:
    found: list[Deed] = []
    looked_at = 0
    while len(found) < _PAGE and looked_at < _MOST_READ:
        # As many as still fit on the page: what is read must be shown, or the next page would leave it out.
        count = _READ_AT_ONCE if any(chosen) and not found else _PAGE - len(found)
        try:
            deeds, before = await site.platform.books.deeds(before, count)
        except ValueError as error:
            raise Problem(
                404, "not-found", "this part of the log isn't known: begin again at its first page"
            ) from error
        looked_at += count
        found += [deed for deed in deeds if chosen.fits(deed) and (not deed.queue or viewer.sees(deed.queue))]
        if before is None:
            break
    return found, before
