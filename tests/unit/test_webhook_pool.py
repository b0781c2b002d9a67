"""The pool of the queue `webhook`."""

from pathlib import Path

import yaml

from edworkers.core.retry import backoff_seconds
from edworkers.core.settings import Circuit, Groups, PoolSpec
from edworkers.handlers import registry
from edworkers.handlers.webhook.deliver import MODULE

MANIFEST = Path(__file__).parents[2] / "manifests" / "examples" / "webhook.yaml"


def test_the_example_manifest_is_the_pool() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())
    assert (manifest["kind"], manifest["metadata"]["name"]) == ("WorkerPool", "webhook")
    assert PoolSpec.model_validate(manifest["spec"]) == MODULE.pool


def test_the_time_and_the_attempts_are_those_of_the_platform() -> None:
    pool = MODULE.pool
    assert (pool.job.timeout_seconds, pool.job.max_attempts, pool.limits) == (15, 5, ())


def test_the_attempts_are_ever_further_apart_and_outlast_a_deployment() -> None:
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
    assert waits == [5, 50, 500, 5000]


def test_the_environment_sets_the_slots() -> None:
    assert registry.override(MODULE, MODULE.pool, {"WEBHOOK_WORKER_CONCURRENCY": "25"}).concurrency == 25


def test_each_endpoint_is_a_group_of_its_own_with_a_bound_and_a_circuit() -> None:
    assert MODULE.pool.groups == Groups(by="url", max_inflight=5, circuit=Circuit())


def test_nine_slow_endpoints_leave_slots_for_others() -> None:
    assert MODULE.pool.groups is not None
    assert MODULE.pool.groups.max_inflight is not None
    assert (MODULE.pool.concurrency - 1) // MODULE.pool.groups.max_inflight == 9
