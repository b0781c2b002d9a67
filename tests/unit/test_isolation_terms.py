"""Which handlers get processes of their own: as the pool says, else as they ask for; what can't be had is refused."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ValidationError

from edworkers.adapters.isolation.linux import Process, family
from edworkers.adapters.isolation.terms import find_faults, memory_bytes, wants_process
from edworkers.core.settings import JobPolicy, PoolSpec
from edworkers.ports import Handle, Handler, HandlerModule

MIB = 1024**2


@asynccontextmanager
async def _open(_env: Mapping[str, str]) -> AsyncGenerator[Handle]:
    raise NotImplementedError
    yield


def a_handler(isolation: Literal["task", "process"] = "task", **fields: Any) -> Handler[BaseModel]:
    return Handler(data=BaseModel, open=_open, isolation=isolation, **fields)


def faults(policy: dict[str, Any], *handlers: Handler[BaseModel], platform: str = "linux") -> list[str]:
    spec = PoolSpec.model_validate({"queue": "work", "handlers": "none", "job": policy})
    return find_faults(spec, HandlerModule(pool=spec, handlers=handlers), platform)


@pytest.mark.parametrize(
    ("policy", "handler", "isolated"),
    [
        ({}, a_handler(), False),
        ({}, a_handler("process"), True),
        ({"isolation": "process"}, a_handler(), True),
        ({"isolation": "task"}, a_handler("process"), False),
    ],
)
def test_the_pools_setting_goes_before_the_handlers_wish(
    policy: dict[str, Any],
    handler: Handler[BaseModel],
    isolated: bool,  # noqa: FBT001
) -> None:
    assert wants_process(handler, JobPolicy.model_validate(policy)) is isolated


def test_memory_is_the_pools_or_else_the_handlers_or_unlimited() -> None:
    asks = a_handler("process", memory_bytes=100 * MIB)
    assert memory_bytes(asks, JobPolicy(memory=200 * MIB)) == 200 * MIB
    assert memory_bytes(asks, JobPolicy()) == 100 * MIB
    assert memory_bytes(a_handler("process"), JobPolicy()) is None


def test_what_can_be_had_has_no_faults() -> None:
    assert faults({}, a_handler()) == []
    assert faults({"memory": "200Mi"}, a_handler("process")) == []
    assert faults({"isolation": "process", "memory": "200Mi"}, a_handler()) == []
    assert faults({"isolation": "task"}, a_handler("process", memory_bytes=100 * MIB)) == []
    assert faults({}, a_handler(), platform="darwin") == []


@pytest.mark.parametrize(("kind", "name"), [(None, "the handler"), ("a", "the handler of 'a'")])
def test_memory_without_a_process_of_its_own_is_a_fault_of_each_handler(kind: str | None, name: str) -> None:
    assert faults({"memory": "200Mi"}, a_handler(type=kind), a_handler("process", type="b")) == [
        f"job.memory: {name} runs in the runner's own process, where it can't be limited: set job.isolation to process"
    ]
    assert faults({}, a_handler(memory_bytes=100 * MIB, type=kind)) == [
        f'{name} has memory_bytes, which needs isolation="process" beside it'
    ]


@pytest.mark.parametrize(
    ("policy", "fault"),
    [
        (
            {"memory": "63Mi", "isolation": "process"},
            "must be 64Mi or more, for Python itself needs about half of that",
        ),
        ({"memory": "lots"}, "must be a number of bytes such as 1048576, 512Ki, 256Mi or 1Gi"),
        (
            {"memory": "200Mi", "isolation": "task"},
            "can only be limited for a job with a process of its own: set isolation to process",
        ),
    ],
)
def test_memory_that_no_job_could_have_is_refused_in_the_settings(policy: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError) as refused:
        JobPolicy.model_validate(policy)
    assert [error["msg"].removeprefix("Value error, ") for error in refused.value.errors()] == [fault]


def test_memory_is_written_as_kubernetes_writes_it_or_not_at_all() -> None:
    assert JobPolicy.model_validate({"memory": "64Mi"}).memory == 64 * MIB
    assert JobPolicy.model_validate({"memory": None, "isolation": "task"}).memory is None


def test_other_systems_have_no_isolation() -> None:
    assert faults({"isolation": "process"}, a_handler(), platform="darwin") == [
        "job.isolation: the handler runs each job in a process of its own, which needs Linux"
    ]


def test_a_jobs_family_is_its_group_and_all_that_descends_from_it() -> None:
    leader, child, left_the_group, its_child = (
        Process(10, 2, 10, 1),
        Process(11, 10, 10, 1),
        Process(12, 10, 12, 1),
        Process(13, 12, 12, 1),
    )
    orphan_in_the_group = Process(14, 2, 10, 1)
    others = [Process(1, 0, 1, 1), Process(2, 1, 2, 1), Process(20, 2, 20, 1)]
    found = family(10, [*others, its_child, left_the_group, child, orphan_in_the_group, leader])
    assert {process.pid for process in found} == {10, 11, 12, 13, 14}
