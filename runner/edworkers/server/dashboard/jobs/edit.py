"""Edit and replay: a dead job's JSON in a form, checked as a runner would; nothing is lost where it has faults."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edworkers.core.errors import InvalidJobError
from edworkers.core.job import decode
from edworkers.core.lifecycle import State
from edworkers.core.settings import MAX_PAYLOAD_BYTES
from edworkers.pipeline.enqueue import prepare
from edworkers.ports.books import Deed
from edworkers.ports.browse import JobDetail
from edworkers.server.access.identity import Scope
from edworkers.server.dashboard.jobs.addresses import job_path
from edworkers.server.dashboard.jobs.job_page import error_of, find, id_of, settings_of
from edworkers.server.dashboard.site import Site
from edworkers.server.enqueue import handlers_of
from edworkers.server.platform import ServedQueue
from edworkers.server.problems import Problem

TEMPLATE = "jobs/edit.html"
_REPLACED = "\N{REPLACEMENT CHARACTER}"


class _Draft(NamedTuple):
    """What stands in the form."""

    text: str
    faults: Sequence[str] = ()
    note: str | None = None
    """What was lost when bytes became text."""


def edit_routes(site: Site) -> list[Route]:
    """Give the routes of the form, and of what is sent from it."""
    form = EditForm(site)
    path = "/queues/{queue}/edit/{id:path}"
    return [site.action(path, form.send), Route(path, form.show, methods=["GET"])]


@dataclass(frozen=True, slots=True)
class EditForm:
    """The form for one dead job."""

    site: Site

    async def show(self, request: Request) -> Response:
        """Show it. The data is unmasked, for it can't be edited otherwise; who saw it is kept."""
        viewer = await self.site.viewer(request, Scope.OPERATE)
        served = await self.site.queue(request)
        detail = await _find_dead(served, id_of(request))
        now = self.site.platform.clock.now()
        deed = Deed(now, viewer.name, "reveal", served.spec.queue, detail.record.id, "its data unmasked, to edit it")
        await self.site.platform.books.note(deed)
        return await self._page(request, served, detail, _draft_of(detail.record.payload or b""))

    async def send(self, request: Request) -> Response:
        """Check what was sent, and replay the job with it; show it again, with every fault, where it can't be used."""
        served = await self.site.queue(request)
        job_id = id_of(request)
        async with request.form(max_part_size=2 * MAX_PAYLOAD_BYTES) as form:
            text = str(form.get("payload", ""))
        payload = text.encode(errors="surrogatepass")
        faults, unique_key = _check(served, job_id, payload, self.site.platform.clock.now())
        if faults:
            return await self._refuse(request, served, _Draft(text, faults), 422)
        if not await served.control.edit(job_id, payload, unique_key):
            taken = f"or another job has the unique key {unique_key!r} by now" if unique_key else "replayed or deleted"
            fault = f"nothing was changed: the job isn't dead any more, {taken}"
            return await self._refuse(request, served, _Draft(text, [fault]), 409)
        viewer = await self.site.viewer(request)
        deed = Deed(self.site.platform.clock.now(), viewer.name, "edit", served.spec.queue, job_id, "and replayed")
        await self.site.platform.books.note(deed)
        return self.site.back(job_path(served.spec.queue, job_id), f"{job_id} is back on the list, with the new data.")

    async def _refuse(self, request: Request, served: ServedQueue, draft: _Draft, status: int) -> Response:
        detail = await find(served, id_of(request))
        return await self._page(request, served, detail, draft, status)

    async def _page(
        self, request: Request, served: ServedQueue, detail: JobDetail, draft: _Draft, status: int = 200
    ) -> Response:
        viewer = await self.site.viewer(request)
        context = {
            "queue": served.spec.queue,
            "job": detail.record,
            "error": error_of(detail.record.error) or {},
            "draft": draft,
            "here": job_path(served.spec.queue, detail.record.id, "edit"),
            "back": job_path(served.spec.queue, detail.record.id),
            "settings": settings_of(served.spec),
            "types": _types(served),
        }
        return self.site.page(request, viewer, TEMPLATE, context, status)


async def _find_dead(served: ServedQueue, job_id: str) -> JobDetail:
    detail = await find(served, job_id)
    if detail.record.state is not State.DEAD or detail.record.payload is None:
        detail_told = f"{job_id} is {detail.record.state}: only a dead job can be edited and replayed"
        raise Problem(409, "not-dead", detail_told)
    return detail


def _types(served: ServedQueue) -> list[str]:
    return [] if served.module is None else sorted(h.type for h in served.module.handlers if h.type is not None)


def _draft_of(payload: bytes) -> _Draft:
    """Lay out a payload to be edited: indented where it is JSON, as it is where it isn't."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        lost = f"Some of its bytes are no text: they stand as {_REPLACED} here, and would be sent so."
        return _Draft(payload.decode(errors="replace"), note=lost)
    try:
        from_json(payload, allow_inf_nan=False)  # refuses what a runner would, such as NaN
        return _Draft(json.dumps(json.loads(text), indent=2, ensure_ascii=False))
    except (ValueError, RecursionError):
        return _Draft(text, note="It isn't JSON that could be read: mend it here.")


def _check(served: ServedQueue, job_id: str, payload: bytes, now: int) -> tuple[Sequence[str], str]:
    """Find every fault in a payload that is to be this job's; and give its unique key."""
    read = decode(payload, job_id, now)
    faults = [f"id: has to stay {job_id!r}; a job with another id is another job"] if read.id != job_id else []
    try:
        made = prepare(payload, handlers_of(served), served.spec.job, new_id=job_id, now=now)
    except InvalidJobError as error:
        return [*faults, *error.faults], ""
    return faults, made.unique_key
