"""One job's page: how it stands, what happened to it and why, its data, its result, and what can be done to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edworkers.core.lifecycle import State
from edworkers.core.settings import PoolSpec
from edworkers.ports.books import Deed
from edworkers.ports.browse import JobDetail, Related
from edworkers.server.access.identity import Scope
from edworkers.server.dashboard.jobs.addresses import job_path, search_path
from edworkers.server.dashboard.jobs.timeline import story_of, strip_of
from edworkers.server.dashboard.masking import Shown
from edworkers.server.dashboard.site import Context, Site
from edworkers.server.dashboard.wording import length
from edworkers.server.platform import ServedQueue
from edworkers.server.problems import Problem

TEMPLATE = "jobs/job.html"
_ENVELOPE = (
    "source",
    "time",
    "runAt",
    "delay",
    "expiresAt",
    "maxAttempts",
    "timeoutSeconds",
    "uniqueKey",
    "traceparent",
)
"""Fields of the envelope that are shown beside the data, in this order."""
_LIVE_SECONDS = 1.5
_STREAMING = ("ai",)
"""Queues whose handlers write their text piece by piece."""
_CANCELLABLE = (State.PENDING, State.DELAYED, State.INFLIGHT)


@dataclass(frozen=True, slots=True)
class Payload:
    """A job's bytes as they are shown: its data by itself where they are an envelope."""

    shown: Shown | None
    """None where the payload isn't kept."""
    envelope: Mapping[str, str]
    """The other fields that the envelope has."""
    type: str | None = None
    """Its type, which the record doesn't tell before it has begun."""


class Other(NamedTuple):
    """A job that this one is related to."""

    queue: str
    id: str
    href: str | None
    """Where it is shown; None where its queue isn't."""
    state: State | None
    """None where it has no record any more."""


def page_routes(site: Site) -> list[Route]:
    """Give the routes of a job's page, and of its data unmasked."""
    page = JobPage(site)
    return [
        site.action("/queues/{queue}/reveal/{id:path}", page.reveal),
        site.live_page("/queues/{queue}/jobs/{id:path}", TEMPLATE, page.build, seconds=_LIVE_SECONDS),
    ]


def id_of(request: Request) -> str:
    """Read which job a path names."""
    return request.path_params["id"] or request.query_params.get("id", "")


@dataclass(frozen=True, slots=True)
class JobPage:
    """Collects what a job's page shows."""

    site: Site

    async def build(self, request: Request) -> Context:
        """Collect it. Raises Problem 404 where there is no record, and QueueUnavailableError."""
        return await self._context(request, reveal=False)

    async def reveal(self, request: Request) -> Response:
        """Answer with the page unmasked, once; who asked for it is kept."""
        viewer = await self.site.viewer(request, Scope.OPERATE)
        context = await self._context(request, reveal=True)
        queue, job_id = request.path_params["queue"], id_of(request)
        now = self.site.platform.clock.now()
        await self.site.platform.books.note(Deed(now, viewer.name, "reveal", queue, job_id, "its data unmasked"))
        return self.site.page(request, viewer, TEMPLATE, context)

    async def _context(self, request: Request, *, reveal: bool) -> Context:
        served = await self.site.queue(request)
        detail = await find(served, id_of(request))
        record, now = detail.record, self.site.platform.clock.now()
        story = story_of(detail)
        queue = served.spec.queue
        return {
            "served": served,
            "spec": served.spec,
            "queue": queue,
            "detail": detail,
            "job": record,
            "reveal": reveal,
            "error": error_of(record.error),
            "progress": _fields(record.progress),
            "story": story,
            "strip": strip_of(story.spans, now),
            "payload": self._payload(record.payload, reveal=reveal),
            "result": None if record.result is None else self.site.mask.document(record.result, reveal=reveal),
            "others": await self._others(request, detail.related),
            "settings": settings_of(served.spec),
            "failure_href": search_path(fingerprint=detail.fingerprint, state="dead", queue=queue),
            "can_cancel": record.state in _CANCELLABLE,
            "streams": queue in _STREAMING,
            "events": f"/v1{job_path(queue, record.id)}/events",
            "path_of": partial(job_path, queue, record.id),
            "curl": curl_of(str(request.base_url), queue, record.id),
        }

    def _payload(self, payload: bytes | None, *, reveal: bool) -> Payload:
        if payload is None:
            return Payload(None, {})
        document = _object(payload)
        if document is None or ("data" not in document and "specversion" not in document):
            return Payload(self.site.mask.document(payload, reveal=reveal), {})
        more = {name: document[name] for name in _ENVELOPE if document.get(name) is not None}
        masked = cast("dict[str, Any]", self.site.mask.value(more, reveal=reveal))
        data = self.site.mask.document(document.get("data"), reveal=reveal)
        kind = document.get("type")
        told = {name: str(value) for name, value in masked.items()}
        return Payload(data, told, kind if isinstance(kind, str) else None)

    async def _others(self, request: Request, related: Sequence[Related]) -> Mapping[str, list[Other]]:
        """Look up related jobs, those that brought this one about and those that it brought about."""
        seen = self.site.queues(await self.site.viewer(request))
        others: dict[str, list[Other]] = {"parent": [], "child": []}
        for queue, job_id, how in related[:20]:
            served = seen.get(queue)
            record = None if served is None else await served.control.find(job_id)
            href = None if served is None else job_path(queue, job_id)
            others.setdefault(how, []).append(Other(queue, job_id, href, None if record is None else record.state))
        return others


def error_of(error: object) -> Mapping[str, Any] | None:
    """Give an error as it is kept; whatever somebody else wrote in its place is its message."""
    fields = _fields(error)
    return fields if fields is not None or error is None else {"kind": "unknown", "message": str(error)}


def _fields(value: object) -> Mapping[str, Any] | None:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else None


async def find(served: ServedQueue, job_id: str) -> JobDetail:
    """Find a job. Raises Problem 404 with what may have become of it, and QueueUnavailableError."""
    detail = await served.browser.detail(job_id)
    if detail is None:
        kept = length(served.spec.retention.result_seconds)
        raise Problem(
            404,
            "unknown-job",
            f"there is no record of a job {job_id!r} in the queue {served.spec.queue}. It may not have been enqueued, "
            f"wait far down the list, or have ended long ago: records are kept {kept} after a job is done.",
        )
    return detail


def settings_of(spec: PoolSpec) -> list[tuple[str, str]]:
    """Say in words what a pool's settings allow each of its jobs."""
    job, backoff = spec.job, spec.job.backoff
    first, most = length(backoff.initial_seconds), length(backoff.max_seconds)
    waits = f"{first}, then {backoff.factor:g} times as long, {most} at most"
    told = [
        ("Attempts", f"{job.max_attempts} at most"),
        ("Time-out", f"{length(job.timeout_seconds)} an attempt"),
        ("Wait between attempts", waits),
        ("Lost runners", f"buried after {job.max_deliveries}"),
        ("Kept", f"{length(spec.retention.result_seconds)} when done, {length(spec.retention.dead_seconds)} when dead"),
    ]
    if spec.limits:
        told.append(("Limits", "; ".join(window.in_words for window in spec.limits)))
    if spec.max_inflight is not None:
        told.append(("At the same time", f"{spec.max_inflight} of the queue"))
    if spec.groups is not None:
        told.append(("Groups", f"fair shares by {spec.groups.by or 'group'}"))
    return told


def curl_of(base: str, queue: str, job_id: str) -> str:
    """Write the command that asks the API for a job."""
    where = job_path(queue, job_id).removeprefix("/")
    quoted = f"{base}v1/{where}".replace("'", "%27")
    return f"curl -H \"Authorization: Bearer $EDWORKERS_KEY\" '{quoted}'"


def _object(payload: bytes) -> dict[str, Any] | None:
    try:
        document: Any = from_json(payload, allow_inf_nan=True)
    except ValueError:
        return None
    return cast("dict[str, Any]", document) if isinstance(document, dict) else None
