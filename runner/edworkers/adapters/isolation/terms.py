"""Which handlers get a process of its own for each job, and how much memory: the pool's setting, else the handler's."""

import sys
from typing import Any

from edworkers.core.settings import JobPolicy, PoolSpec
from edworkers.ports import Handler, HandlerModule


def wants_process(handler: Handler[Any], policy: JobPolicy) -> bool:
    """Say whether each job of a handler gets a process of its own."""
    return (policy.isolation or handler.isolation) == "process"


def memory_bytes(handler: Handler[Any], policy: JobPolicy) -> int | None:
    """Say how much memory a job's processes may use; None for no limit."""
    return handler.memory_bytes if policy.memory is None else policy.memory


def find_faults(spec: PoolSpec, module: HandlerModule, platform: str = sys.platform) -> list[str]:
    """Say what of a pool's isolation can't be had, a line each."""
    faults: list[str] = []
    for handler in module.handlers:
        name = "the handler" if handler.type is None else f"the handler of {handler.type!r}"
        if wants_process(handler, spec.job):
            if platform != "linux":
                faults.append(f"job.isolation: {name} runs each job in a process of its own, which needs Linux")
        elif spec.job.memory is not None:
            faults.append(
                f"job.memory: {name} runs in the runner's own process, where it can't be limited: "
                "set job.isolation to process"
            )
        elif handler.memory_bytes is not None and handler.isolation != "process":
            faults.append(f'{name} has memory_bytes, which needs isolation="process" beside it')
    return list(dict.fromkeys(faults))
