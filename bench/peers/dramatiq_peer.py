"""Dramatiq: its command line with one process of N threads, over hiredis.

Options of `dramatiq --help`:

--processes     1; another process only starts it and waits
--threads       the slots
--skip-logging  leaves logging as it is, which is off below warnings

and, by its environment, dramatiq_queue_prefetch=1000: so many jobs are fetched ahead, rather than twice as many as
there are threads. As by default no results are stored. A job survives SIGKILL of its worker: Dramatiq acknowledges it
after it has run, and by the source of its broker what a worker held goes back to the queue when no heartbeat of that
worker has come for a minute. There is no push by bulk.
"""

import os
import sys
from collections.abc import Iterable

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from orders import POOL_URL, SLOTS, Job, obey, tally, work_in_thread


class Ready(dramatiq.Middleware):
    """Tells when the threads are about to run."""

    def before_worker_boot(self, broker: object, worker: object) -> None:  # noqa: ARG002
        tally().ready()


broker = RedisBroker(url=POOL_URL)
broker.add_middleware(Ready())
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="default")
def noop(n: int, text: str) -> None:
    work_in_thread(n, text)


def work() -> None:
    words = ("-m", "dramatiq", "dramatiq_peer", "--processes=1", f"--threads={SLOTS}", "--skip-logging")
    os.execve(sys.executable, (sys.executable, *words), {**os.environ, "dramatiq_queue_prefetch": "1000"})


def push(jobs: Iterable[Job]) -> None:
    for job in jobs:
        noop.send(**job)


if __name__ == "__main__":
    obey(work, push)
