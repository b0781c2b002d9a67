"""huey: one process, its consumer with N threads, over hiredis.

Arguments of `RedisHuey` and `create_consumer`, which are the options of `huey_consumer`:

workers, worker_type  the slots, as threads
results               off: nobody reads them
periodic              off

A job does NOT survive SIGKILL of its worker: by the source of `RedisStorage` the consumer takes it off the list with
BRPOP before it runs, and it is nowhere else. huey has no setting for Redis that keeps it. There is no push by bulk.
"""

import logging
from collections.abc import Iterable

from huey import RedisHuey
from orders import POOL_URL, SLOTS, Job, obey, tally, work_in_thread

huey = RedisHuey("noop", url=POOL_URL, results=False)


@huey.task(name="noop")
def noop(n: int, text: str) -> None:
    work_in_thread(n, text)


def work() -> None:
    logging.disable(logging.INFO)
    consumer = huey.create_consumer(workers=SLOTS, worker_type="thread", periodic=False, graceful_signal="TERM")
    tally().ready()
    consumer.run()


def push(jobs: Iterable[Job]) -> None:
    for job in jobs:
        noop(**job)


if __name__ == "__main__":
    obey(work, push)
