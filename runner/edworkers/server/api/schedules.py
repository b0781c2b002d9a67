"""Jobs that the clock begins: when they ran and will run, and running one now."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic_core import to_json
from starlette.responses import Response

from edworkers.ports.books import Deed
from edworkers.server.access.identity import Scope
from edworkers.server.api.enqueue import accepted, telling_ids
from edworkers.server.api.models import Accepted
from edworkers.server.api.queue_models import ScheduledJob, Schedules
from edworkers.server.api.served import OperatedQueue, Operator, Reader, ThePlatform, TheSight, needs, problems
from edworkers.server.enqueue import make_job
from edworkers.server.next_run import next_run
from edworkers.server.platform import Schedule, ServedQueue
from edworkers.server.problems import Problem
from edworkers.server.schedule_runs import id_of_run
from edworkers.server.sight import Sight

router = APIRouter(tags=["Schedules"])
one_router = APIRouter(prefix="/queues/{queue}", tags=["Schedules"])

Name = Annotated[str, Path(description="The schedule's name.", max_length=63, examples=["token-cleanup"])]


@router.get("/schedules", summary="List schedules", responses=problems(), openapi_extra=needs(Scope.READ))
async def list_schedules(identity: Reader, platform: ThePlatform, sight: TheSight) -> Schedules:
    """Tell of every schedule when it ran last, where a cluster says so, and when it runs next."""
    now = platform.clock.now()
    seen = [served for name, served in platform.queues().items() if identity.sees(name)]
    return Schedules(
        schedules=[_as_scheduled(served, plan, now, sight) for served in seen for plan in served.schedules]
    )


def _as_scheduled(served: ServedQueue, plan: Schedule, now: int, sight: Sight) -> ScheduledJob:
    try:
        next_at = next_run(plan.cron, plan.time_zone, now)
    except ValueError:
        next_at = None
    return ScheduledJob(
        queue=served.spec.queue,
        name=plan.name,
        cron=plan.cron,
        time_zone=plan.time_zone,
        job=sight.value(dict(plan.job)),
        last_at=plan.last_at,
        next_at=next_at,
    )


@one_router.post(
    "/schedules/{name}/run",
    status_code=202,
    summary="Run a schedule's job now",
    response_model=Accepted,
    responses=problems(),
    openapi_extra=needs(Scope.OPERATE),
)
async def run_now(served: OperatedQueue, identity: Operator, platform: ThePlatform, name: Name) -> Response:
    """Enqueue the job of a schedule now; when it runs by the clock stays as it is."""
    plan = next((plan for plan in served.schedules if plan.name == name), None)
    if plan is None:
        known = ", ".join(plan.name for plan in served.schedules) or "none"
        raise Problem(404, "not-found", f"the queue {served.spec.queue} has no schedule {name!r}; it has: {known}")
    document: dict[str, Any] = {"data": {}, **plan.job}
    new_id = id_of_run(name, platform.new_id())
    job = make_job(served, to_json(document), document, new_id=new_id, now=platform.clock.now())
    queue = served.spec.queue
    deed = Deed(platform.clock.now(), identity.name, "run", queue, job.job_id, f"schedule {name}")
    with telling_ids(platform, job.job_id, is_once=True):
        await served.control.enqueue([job])
        await platform.books.note(deed)
    return accepted(queue, job.job_id, is_new=True)
