"""Celery: one process, one job after another, or a pool of N threads where jobs wait for something.

Settings, from Celery's "Configuration and defaults" and "Optimizing":

task_acks_late                a job is acknowledged after it has run; otherwise it would be lost with its worker
worker_prefetch_multiplier    64 jobs a thread, rather than 4: "Optimizing" has such numbers for many short jobs
task_ignore_result            and no result backend: nobody reads results
worker_enable_remote_control  off, as is what workers tell each other: gossip, mingle, heartbeats

All that is measured here runs in one process, and the default pool is of processes. Of the others `solo` was the
fastest in a trial with jobs that do nothing, and greenlets were slower than threads; jobs that wait do so side by side
only in threads. A job survives SIGKILL of its worker: it stays in `unacked`, from where by the source of kombu's Redis
transport it goes back to the queue when the visibility timeout is over, an hour by default. There is no push by bulk;
jobs are pushed over one connection.
"""

import os
import sys
from collections.abc import Iterable

from celery import Celery
from celery.signals import worker_ready
from orders import SLOTS, URL, WORK_SECONDS, Job, obey, tally, work_in_thread

app = Celery("noop", broker=URL)
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=64,
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="noop")
def noop(n: int, text: str) -> None:
    work_in_thread(n, text)


@worker_ready.connect
def _on_ready(**_: object) -> None:
    tally().ready()


def work() -> None:
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=ERROR")
    words = (
        "-W",
        "ignore",
        "-m",
        "celery",
        "--quiet",
        "--app=celery_peer",
        "worker",
        "--pool=threads" if WORK_SECONDS else "--pool=solo",
        f"--concurrency={SLOTS}",
        *quiet,
    )
    os.execv(sys.executable, (sys.executable, *words))


def push(jobs: Iterable[Job]) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for job in jobs:
            noop.apply_async(kwargs=job, producer=producer)


if __name__ == "__main__":
    obey(work, push)
