"""The pool of the queue `email`."""

from pathlib import Path

import yaml

from edworkers.core.retry import backoff_seconds
from edworkers.core.settings import PoolSpec
from edworkers.handlers import registry
from edworkers.handlers.email import MODULE

MANIFEST = Path(__file__).parents[2] / "manifests" / "examples" / "email.yaml"


def test_the_example_manifest_is_the_pool() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())
    assert (manifest["kind"], manifest["metadata"]["name"]) == ("WorkerPool", "email")
    assert PoolSpec.model_validate(manifest["spec"]) == MODULE.pool


def test_the_slots_the_time_and_the_attempts_are_those_of_the_platform() -> None:
    pool = MODULE.pool
    assert (pool.concurrency, pool.job.timeout_seconds, pool.job.max_attempts, pool.limits) == (5, 60, 5, ())


def test_the_attempts_are_ever_further_apart_and_outlast_greylisting() -> None:
    backoff = MODULE.pool.job.backoff
    waits = [
        backoff_seconds(
            failures,
            initial=backoff.initial_seconds,
            factor=backoff.factor,
            maximum=backoff.max_seconds,
            jitter=backoff.jitter,
            roll=0.5,
        )
        for failures in range(1, MODULE.pool.job.max_attempts)
    ]
    assert waits == [15, 60, 240, 960]


def test_the_environment_sets_the_slots() -> None:
    assert registry.override(MODULE, MODULE.pool, {"EMAIL_WORKER_CONCURRENCY": "25"}).concurrency == 25
