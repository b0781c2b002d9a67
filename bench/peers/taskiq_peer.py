"""Taskiq with the stream broker of taskiq-redis: one process, N jobs at once in asyncio, over uvloop and hiredis.

Arguments of `taskiq.api.run_receiver_task` and `RedisStreamBroker`, which their docstrings explain:

max_async_tasks              the slots
max_prefetch                 as many again
max_connection_pool_size     enough for all of them
ack_time                     when the job was executed, as there are no results to be saved before
validate_params              off: what was pushed is handed over as it is
xread_count                  twice the slots, and at least 100 as by default
unacknowledged_lock_timeout  10 s: otherwise the lock of a worker that was killed is never released

and orjson for the messages. A job survives SIGKILL of its worker: the broker acknowledges it after it has run, and by
the source other workers claim what is pending for longer than `idle_timeout`, 10 minutes by default. What was
acknowledged stays in the stream, as by default it isn't shortened. There is no push by bulk.
"""

import logging
from collections.abc import Iterable

import uvloop
from orders import CONNECTIONS, SLOTS, URL, Job, obey, tally, work_on
from taskiq import TaskiqEvents, TaskiqState
from taskiq.acks import AcknowledgeType
from taskiq.api import run_receiver_task
from taskiq.serializers import ORJSONSerializer
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(
    URL,
    max_connection_pool_size=CONNECTIONS,
    consumer_id="0",
    xread_count=max(2 * SLOTS, 100),
    unacknowledged_lock_timeout=10,
).with_serializer(ORJSONSerializer())


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def startup(_state: TaskiqState) -> None:
    tally().ready()


@broker.task(task_name="noop")
async def noop(n: int, text: str) -> None:
    await work_on(n, text)


def work() -> None:
    logging.disable(logging.INFO)
    uvloop.run(serve())


async def serve() -> None:
    # In this process, where `taskiq worker` starts others: its worker doesn't end before another job comes.
    await run_receiver_task(
        broker,
        max_async_tasks=SLOTS,
        max_prefetch=SLOTS,
        ack_time=AcknowledgeType.WHEN_EXECUTED,
        validate_params=False,
        run_startup=True,
    )


async def push(jobs: Iterable[Job]) -> None:
    await broker.startup()
    for job in jobs:
        await noop.kiq(**job)
    await broker.shutdown()


if __name__ == "__main__":
    obey(work, push)
