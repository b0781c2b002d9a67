"""Handlers for tests of traces and log lines: they log, trace something themselves, fail, and run in threads."""

import asyncio
import logging
from typing import Literal, NoReturn

import structlog
from opentelemetry import trace

from edworkers.core.outcome import Done, Failed, FollowUp
from edworkers.core.settings import JobPolicy, PoolSpec
from edworkers.handlers.data import JobData
from edworkers.ports import Handler, HandlerModule, JobContext
from edworkers.ports.plain import PlainJob

library = logging.getLogger("some.library")
own = structlog.stdlib.get_logger("edworkers.own")


class Work(JobData):
    do: Literal["log", "trace", "fail", "raise", "follow_up", "sleep"] = "log"
    times: int = 0
    """How many attempts fail before one succeeds."""


async def work(data: Work, job: JobContext) -> object:
    match data.do:
        case "log":
            library.warning("the library says %s", "something")
            own.info("own.line", more="of mine")
            await asyncio.to_thread(library.warning, "from a thread")
            await asyncio.create_task(_log_in_a_task())
        case "trace":
            with trace.get_tracer("handler").start_as_current_span("own step") as span:
                span.set_attribute("step", 1)
        case "fail" if job.attempt <= data.times:
            return Failed(
                "status", "the mail to ada@school.example was refused, token=abcdef123456", after_seconds=0.01
            )
        case "raise":
            _raise()
        case "sleep":
            await asyncio.sleep(600)
        case "follow_up":
            return Done({"did": "follow_up"}, (FollowUp("next", {"do": "trace"}),))
        case _:
            pass
    return {"traceparent": job.traceparent}


async def _log_in_a_task() -> None:
    library.warning("from a task")


def _look_up() -> NoReturn:
    raise LookupError("no such pupil: bob@school.example")


def _raise() -> NoReturn:
    try:
        _look_up()
    except LookupError as error:
        library.exception("it went wrong")
        raise RuntimeError("line one\nline two") from error


def plain(_data: Work, job: PlainJob) -> object:
    library.warning("from a plain function")
    return {"traceparent": job.traceparent}


MODULE = HandlerModule(
    pool=PoolSpec(queue="work", handlers="handlers_for_traces", job=JobPolicy(max_attempts=3)),
    handlers=(
        Handler(data=Work, run=work),
        Handler(data=Work, run=plain, type="plain"),
        Handler(data=Work, run=work, type="apart", isolation="process"),
    ),
)
