"""Pushes to edworkers' queue `noop` as any producer may, with redis-py: one LPUSH a job, or one for many.

Runs in the project's own virtual environment, and knows the words of orders.py but for `worker`.
"""

import json
from collections.abc import Iterable, Sequence

import redis
from orders import URL, Job, chunks, obey

KEY = "edworkers:{noop}:pending"


def push(jobs: Iterable[Job]) -> None:
    client = redis.Redis.from_url(URL)
    for job in jobs:
        client.lpush(KEY, json.dumps({"data": job}))


def push_bulk(jobs: Iterable[Job]) -> None:
    client = redis.Redis.from_url(URL)
    for chunk in chunks(jobs):
        client.lpush(KEY, *(json.dumps({"data": job}) for job in chunk))


def push_due(jobs: Iterable[Sequence[Job]]) -> None:
    """Push together what is due."""
    client = redis.Redis.from_url(URL)
    for batch in jobs:
        client.lpush(KEY, *(json.dumps({"data": job}) for job in batch))


if __name__ == "__main__":
    obey(lambda: None, push, push_bulk, push_due)
