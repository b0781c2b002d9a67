"""Forms that do one thing to many jobs, and the page that shows how far that is, with its undo."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from edworkers.core.lifecycle import State
from edworkers.ports.books import BulkOperation
from edworkers.server.access.identity import Identity, Scope, check
from edworkers.server.bulk import OPEN, BulkDesk
from edworkers.server.choice import ACTIONS, BulkRefusedError, Choice, in_words
from edworkers.server.dashboard.jobs.addresses import operations_path
from edworkers.server.dashboard.jobs.asked import by_place, read_asked
from edworkers.server.dashboard.site import Context, Site, is_inside
from edworkers.server.problems import Problem

_SHOWN = 50
_MOST_FIELDS = 1100
WORDS = {"replay": "Replay", "drop": "Delete", "cancel": "Cancel"}
DONE_WORDS = {"replay": "replayed", "drop": "deleted", "cancel": "cancelled"}


class _Ask(NamedTuple):
    """One operation that a form asks for."""

    queue: str
    choice: Choice


@dataclass(frozen=True, slots=True)
class Shown:
    """An operation as the page shows it."""

    operation: BulkOperation
    verb: str
    done_word: str
    jobs: str
    share: float
    seconds_left: int | None
    """Until it starts; None where it has, or won't."""
    is_open: bool


def bulk_routes(site: Site) -> list[Route]:
    """Give the routes of the forms, of the page and of undo."""
    forms = BulkForms(site)
    return [
        site.action("/queues/{queue}/bulk", forms.begin),
        site.action("/bulk", forms.begin),
        site.action("/operations/{id}/undo", forms.undo),
        Route("/operations/{id}", forms.tell, methods=["GET"]),
        site.live_page("/operations", "jobs/operations.html", forms.build, seconds=1.0),
    ]


@dataclass(frozen=True, slots=True)
class BulkForms:
    """Reads the forms.

    A form says `action`, and either `ids` (each a job's id, or `queue state id` where the form is for many queues), or
    which jobs are meant by the fields of `Wanted`, or `everything=1` for all in the state; and `state`, and `to`, where
    to go back to.
    """

    site: Site

    async def begin(self, request: Request) -> Response:
        """Begin what a form asks for. Raises Problem where it asks for nothing that can be done."""
        viewer = await self.site.viewer(request)
        async with request.form(max_fields=_MOST_FIELDS) as form:
            action, to = str(form.get("action", "")), str(form.get("to", ""))
            asks = await self._asks(request, viewer, form, action)
        desk = BulkDesk(self.site.platform)
        try:
            begun = [await desk.create(ask.queue, action, ask.choice, viewer.name) for ask in asks]
        except BulkRefusedError as error:
            raise Problem(422, "invalid-request", str(error)) from error
        return _answer(request, [operation.id for operation in begun], to)

    async def _asks(self, request: Request, viewer: Identity, form: FormData, action: str) -> list[_Ask]:
        if action not in ACTIONS:
            raise Problem(422, "invalid-request", f"say which action: {', '.join(ACTIONS)}")
        queues = self.site.queues(viewer)
        queue = request.path_params.get("queue")
        if queue is not None:
            await self.site.queue(request)
        ids = [] if _is_for_all(form) else [value for value in form.getlist("ids") if isinstance(value, str)]
        asks = _named(form, ids, queue) if ids else await self._wanted(form, list(queues), queue, action)
        meant = [ask for ask in asks if ask.queue in queues and ask.choice.state in ACTIONS[action]]
        if not meant:
            states = " or ".join(sorted(ACTIONS[action]))
            told = f"nothing that is chosen can be {DONE_WORDS[action]}: choose jobs that are {states}"
            raise Problem(422, "invalid-request", told)
        return meant

    async def _wanted(self, form: FormData, queues: Sequence[str], queue: str | None, action: str) -> list[_Ask]:
        asked = read_asked(form, queues, self.site.platform.clock.now())
        if asked.wanted.is_everything and not _is_for_all(form):
            raise Problem(422, "invalid-request", "no job is chosen: tick some, or say by a filter which")
        where = [queue] if queue else [asked.queue] if asked.queue else queues
        served = self.site.platform.queues()
        states = [state for state in asked.states if state in ACTIONS[action]]
        asks = [_Ask(name, Choice(state, wanted=asked.wanted)) for name in where for state in states]
        if len(asks) == 1:
            return asks
        return [ask for ask in asks if (await served[ask.queue].browser.page(ask.choice.state, None, 1)).total]

    async def undo(self, request: Request) -> Response:
        """Take an operation back, or stop it."""
        viewer = await self.site.viewer(request)
        desk = BulkDesk(self.site.platform)
        operation_id = request.path_params["id"]
        try:
            check(viewer, (Scope.OPERATE,), (await desk.find(operation_id)).queue)
            ended = await desk.undo(operation_id, viewer.name)
        except KeyError as error:
            raise Problem(
                404, "not-found", f"there is no operation {operation_id}; they are kept for a week"
            ) from error
        except BulkRefusedError as error:
            told = f"It couldn't be undone: {error}."
        else:
            told = "Undone: nothing was changed." if ended.status == "undone" else _stopped(ended)
        async with request.form() as form:
            to = str(form.get("to", "")) or operations_path(operation_id)
        return JSONResponse({"told": told}) if _is_script(request) else self.site.back(to, told)

    async def tell(self, request: Request) -> Response:
        """Tell a script in words how far one operation is; other pages show it."""
        viewer = await self.site.viewer(request)
        operation_id = request.path_params["id"]
        if not _is_script(request):
            return RedirectResponse(operations_path(operation_id), 303)
        operation = await self.site.platform.books.operation(operation_id)
        if operation is None or not viewer.sees(operation.queue):
            raise Problem(404, "not-found", f"there is no operation {operation_id}; they are kept for a week")
        return JSONResponse(told_of(shown_of(operation, self.site.platform.clock.now())))

    async def build(self, request: Request) -> Context:
        """Collect what the page shows: the operations that its address names, or the latest."""
        viewer = await self.site.viewer(request)
        desk = BulkDesk(self.site.platform)
        named = request.query_params.getlist("of")[:_SHOWN]
        if named:
            found = [await self.site.platform.books.operation(operation_id) for operation_id in named]
            operations = [operation for operation in found if operation is not None]
        else:
            operations = list(await desk.platform.books.operations(_SHOWN))
        seen = [operation for operation in operations if viewer.sees(operation.queue)]
        to = request.query_params.get("to", "")
        now = self.site.platform.clock.now()
        return {
            "operations": [shown_of(operation, now) for operation in seen],
            "is_chosen": bool(named),
            "to": to if is_inside(to) else None,
            "is_over": all(operation.status not in OPEN for operation in seen),
        }


def _is_for_all(form: FormData) -> bool:
    return form.get("everything") == "1"


def _named(form: FormData, ids: Sequence[str], queue: str | None) -> list[_Ask]:
    if queue is None:
        return [_Ask(of, Choice(State(state), ids=chosen)) for (of, state), chosen in by_place(ids).items()]
    state = str(form.get("state", ""))
    if state not in set(State):
        raise Problem(422, "invalid-request", f"state: say in which the jobs are: {', '.join(State)}")
    return [_Ask(queue, Choice(State(state), ids=tuple(dict.fromkeys(ids))))]


def _is_script(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def _answer(request: Request, ids: Sequence[str], to: str) -> Response:
    """Go to the page that shows how far it is; a script is told which operations, and shows that itself."""
    if _is_script(request):
        return JSONResponse({"operations": list(ids)}, 202)
    back = f"&{urlencode({'to': to})}" if is_inside(to) else ""
    return RedirectResponse(operations_path(*ids) + back, 303)


def _stopped(operation: BulkOperation) -> str:
    return f"Stopped: {operation.changed} had been {DONE_WORDS[operation.action]} by then."


def shown_of(operation: BulkOperation, now: int) -> Shown:
    """Say how far an operation is; `now` is in Unix ms."""
    is_over = operation.status == "done"
    share = 1.0 if is_over else operation.looked_at / operation.total if operation.total else 0.0
    waits = operation.status == "waiting"
    return Shown(
        operation,
        WORDS.get(operation.action, operation.action),
        DONE_WORDS.get(operation.action, "changed"),
        in_words(operation),
        min(share, 1.0),
        max(0, -(-(operation.starts_at - now) // 1000)) if waits else None,
        operation.status in OPEN,
    )


def told_of(shown: Shown) -> dict[str, str | None]:
    """Say in a line how far an operation is, and what its button does while there is something to take back."""
    operation = shown.operation
    match operation.status:
        case "waiting":
            return {"words": f"{shown.verb} {shown.jobs} in {shown.seconds_left} s", "undo": "Undo"}
        case "running":
            words = f"{operation.changed} {shown.done_word}; looked at {operation.looked_at} of {operation.total}"
            return {"words": words, "undo": "Stop"}
        case "undone":
            return {"words": "Undone: nothing was changed", "undo": None}
        case "failed":
            return {"words": f"Failed: {operation.fault}", "undo": None}
        case _:
            refused = f", {operation.refused} refused" if operation.refused else ""
            return {"words": f"{operation.changed} {shown.done_word}{refused}", "undo": None}
