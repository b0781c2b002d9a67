"""Greets people."""

from pydantic import BaseModel, ConfigDict

from edworkers.core.outcome import Failed
from edworkers.core.settings import PoolSpec
from edworkers.ports import Handler, HandlerModule, PlainJob


class Greeting(BaseModel):
    """What a job's `data` must look like; what doesn't fit is buried with every fault named."""

    model_config = ConfigDict(extra="forbid")

    name: str


def greet(data: Greeting, job: PlainJob) -> object:
    """Do the work; what is returned is the job's result, what is raised its failure."""
    job.progress(0.5, "looking up the name")
    if data.name == "nobody":
        return Failed("nobody", "there is nobody to greet", retryable=False)
    return {"text": f"Hello {data.name}", "attempt": job.attempt}


MODULE = HandlerModule(
    pool=PoolSpec(queue="greetings", handlers="greetings"),
    handlers=(Handler(data=Greeting, run=greet),),
)
