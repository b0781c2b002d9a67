"""RQ: one process, a `SimpleWorker`, over hiredis. It runs one job after another, however many slots are asked for.

It runs jobs in its own process, by its docstring without forking, where the default worker forks for each. Settings of
the jobs:

result_ttl  0: neither results nor finished jobs are kept
retry       once: by the source, that is what a job has left whose worker was killed

So a job survives SIGKILL of its worker: it stays in the registry of started jobs until its heartbeat has expired, and
what keeps the registries in order, every ten minutes in a worker, puts it back into the queue. Bulk is `enqueue_many`.
"""

from collections.abc import Iterable

from orders import URL, Job, chunks, obey, tally, work_in_thread
from redis import Redis
from rq import Queue, Retry, SimpleWorker


def noop(n: int, text: str) -> None:
    work_in_thread(n, text)


def work() -> None:
    connection = Redis.from_url(URL)
    worker = SimpleWorker([queue(connection)], connection=connection)
    tally().ready()
    worker.work(logging_level="ERROR")


def queue(connection: Redis) -> Queue:
    return Queue("noop", connection=connection)


SETTINGS = {"result_ttl": 0, "retry": Retry(max=1)}


def push(jobs: Iterable[Job]) -> None:
    to = queue(Redis.from_url(URL))
    for job in jobs:
        to.enqueue("rq_peer.noop", kwargs=job, **SETTINGS)


def push_bulk(jobs: Iterable[Job]) -> None:
    to = queue(Redis.from_url(URL))
    for chunk in chunks(jobs):
        to.enqueue_many([Queue.prepare_data("rq_peer.noop", kwargs=job, **SETTINGS) for job in chunk])


if __name__ == "__main__":
    obey(work, push, push_bulk)
