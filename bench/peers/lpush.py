"""Pushes to edworkers' queue `noop` as any producer may, with redis-py: one LPUSH a job, or one for many.

Runs in the project's own virtual environment, and knows the word `enqueue` of orders.py.
"""

import json
from collections.abc import Iterable

import redis
from orders import URL, Job, chunks, obey

KEY = "noop:pending"


def push(jobs: Iterable[Job]) -> None:
    client = redis.Redis.from_url(URL)
    for job in jobs:
        client.lpush(KEY, json.dumps({"data": job}))


def push_bulk(jobs: Iterable[Job]) -> None:
    client = redis.Redis.from_url(URL)
    for chunk in chunks(jobs):
        client.lpush(KEY, *(json.dumps({"data": job}) for job in chunk))


if __name__ == "__main__":
    obey(lambda: None, push, push_bulk)
