"""What can be done to one job from its page: cancel, replay, delete. Each is kept in the activity log."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edworkers.ports import QueueControl
from edworkers.ports.books import Deed
from edworkers.server.dashboard.jobs.addresses import job_path
from edworkers.server.dashboard.jobs.job_page import id_of
from edworkers.server.dashboard.site import Act, Site


class Answer(NamedTuple):
    """What came of an action."""

    has_changed: bool
    told: str
    """In words, with `{id}` for the job."""


async def _cancel(control: QueueControl, job_id: str) -> Answer:
    match await control.cancel(job_id):
        case "cancelled":
            return Answer(has_changed=True, told="{id} is cancelled.")
        case "requested":
            return Answer(has_changed=True, told="{id} is to be cancelled: it ends when its runner meets it.")
        case _:
            return Answer(has_changed=False, told="{id} had ended before it could be cancelled.")


async def _replay(control: QueueControl, job_id: str) -> Answer:
    if await control.replay(job_id):
        return Answer(has_changed=True, told="{id} is back on the list.")
    return Answer(
        has_changed=False, told="{id} was not replayed: it isn't dead any more, or another job has its unique key."
    )


async def _drop(control: QueueControl, job_id: str) -> Answer:
    if await control.drop(job_id):
        return Answer(has_changed=True, told="{id} is deleted.")
    return Answer(has_changed=False, told="{id} was not deleted: it isn't dead any more.")


_ACTIONS: dict[str, Callable[[QueueControl, str], Awaitable[Answer]]] = {
    "cancel": _cancel,
    "replay": _replay,
    "drop": _drop,
}


def action_routes(site: Site) -> list[Route]:
    """Give the routes of all actions."""
    return [site.action(f"/queues/{{queue}}/{verb}/{{id:path}}", _act(site, verb)) for verb in _ACTIONS]


def _act(site: Site, verb: str) -> Act:
    async def act(request: Request) -> Response:
        viewer = await site.viewer(request)
        served = await site.queue(request)
        queue, job_id = served.spec.queue, id_of(request)
        answer = await _ACTIONS[verb](served.control, job_id)
        if answer.has_changed:
            deed = Deed(site.platform.clock.now(), viewer.name, verb, queue, job_id)
            await site.platform.books.note(deed)
        is_gone = verb == "drop" and answer.has_changed
        to = f"/queues/{queue}" if is_gone else job_path(queue, job_id)
        return site.back(to, answer.told.format(id=job_id))

    return act
