"""The ConfigMap from which the keeper learns of the pools, read as the keeper reads it."""

from typing import Any

import yaml
from tests.invalid_pools import worker_pool

from edworkers.pools import read_manifests
from edworkers_operator.keeper_config import FILE, keeper_config

RETENTION = {"resultSeconds": 60, "deadSeconds": 120, "maxBytes": "1Mi"}


def kept(*pools: dict[str, Any]) -> str:
    config = keeper_config(pools, "edworkers", "edworkers-pools")
    assert config["metadata"] == {"name": "edworkers-pools", "namespace": "edworkers"}
    text: str = config["data"][FILE]
    return text


def test_the_keeper_reads_each_queue_and_how_long_it_keeps_what_is_done() -> None:
    text = kept(worker_pool(retention=RETENTION), worker_pool("ai", queue="ai", handlers="edworkers.handlers.ai"))
    ai, night = read_manifests(text, FILE)
    assert (ai.queue, ai.handlers) == ("ai", "edworkers.handlers.ai")
    assert (night.queue, night.retention.result_seconds) == ("night", 60)


def test_nothing_is_told_that_a_keeper_does_not_act_on() -> None:
    assert "secret" not in kept(worker_pool(env=[{"name": "TOKEN", "value": "secret"}]))


def test_a_pool_that_can_not_be_used_is_left_out() -> None:
    assert kept(worker_pool(concurrency=-1), worker_pool("ai", queue="ai")) == kept(worker_pool("ai", queue="ai"))


def test_two_pools_of_one_queue_are_one() -> None:
    assert kept(worker_pool("one"), worker_pool("two")) == kept(worker_pool("one"))


def test_the_order_in_which_pools_were_seen_makes_no_difference() -> None:
    one, two = worker_pool("one", queue="one"), worker_pool("two", queue="two")
    assert kept(one, two) == kept(two, one)


def test_without_pools_the_file_is_empty() -> None:
    assert kept() == ""


def test_a_server_learns_of_slots_and_schedules() -> None:
    job = {"type": "report", "data": {"report": "logins"}}
    schedule = {"name": "logins", "schedule": "0 6 * * mon", "timeZone": "Europe/Berlin", "job": job}
    told = yaml.safe_load(kept(worker_pool(concurrency=7, schedules=[schedule])).partition("---")[0])
    assert told["spec"]["concurrency"] == 7
    assert told["spec"]["schedules"] == [schedule]
