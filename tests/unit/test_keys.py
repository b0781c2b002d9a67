"""The names of the Redis keys are a promise to producers, to the autoscaler and to later versions."""

import re
from collections.abc import Iterator

import pytest

from edworkers.core.keys import QUEUE_NAME, LimiterKeys, QueueKeys, ServerKeys


def names_of(kind: type) -> Iterator[str]:
    yield from sorted(name for name, member in vars(kind).items() if isinstance(member, property))


QUEUE_KEYS = [
    "arrived",
    "cancel",
    "circuits",
    "dead",
    "delayed",
    "entries",
    "events",
    "failures",
    "fair",
    "fairness",
    "fingerprints",
    "finished",
    "gate",
    "grouped",
    "inflight",
    "lease",
    "ledger",
    "outbox",
    "paused",
    "pending",
    "runners",
    "running",
    "shares",
    "shut",
    "throttled",
    "totals",
    "turns",
    "unique",
]


def test_every_key_of_a_queue_is_known_here() -> None:
    assert list(names_of(QueueKeys)) == QUEUE_KEYS


@pytest.mark.parametrize("name", QUEUE_KEYS)
def test_a_key_is_named_for_its_queue_and_for_what_it_holds(name: str) -> None:
    assert getattr(QueueKeys("data-export"), name) == f"edworkers:{{data-export}}:{name}"


def test_the_record_of_a_job_has_its_id_in_its_key() -> None:
    assert QueueKeys("ai").job("01J.a}b{c") == "edworkers:{ai}:job:01J.a}b{c"


@pytest.mark.parametrize("job_id", ["x", "}{", "{other}", "pending"])
def test_all_keys_of_a_queue_lie_in_one_slot_of_a_cluster_and_are_distinct(job_id: str) -> None:
    keys = QueueKeys("ai")
    every = [*(getattr(keys, name) for name in QUEUE_KEYS), keys.job(job_id)]
    tags = {match[1] for key in every if (match := re.search(r"\{([^}]+)\}", key))}
    assert tags == {"ai"}
    assert len(set(every)) == len(QUEUE_KEYS) + 1


def test_queues_share_no_key() -> None:
    ai, webhook = ({getattr(QueueKeys(queue), name) for name in QUEUE_KEYS} for queue in ("ai", "webhook"))
    assert not ai & webhook


def test_the_text_of_a_job_has_its_id_in_its_key() -> None:
    assert QueueKeys("ai").text("a") == "edworkers:{ai}:text:a"


def test_what_servers_share_lies_in_one_slot_and_is_no_key_of_a_queue_that_has_this_name() -> None:
    keys = ServerKeys()
    every = [
        *(keys.deeds, keys.operations, keys.operation("o"), keys.turn("o"), keys.series("ai", 10), keys.once("k")),
        keys.count("k"),
    ]
    names = [key.removeprefix("edworkers:{server}:") for key in every]
    assert names == ["deeds", "operations", "operation:o", "turn:o", "series:ai:10", "once:k", "count:k"]
    queue = QueueKeys("server")
    assert not set(every) & {*(getattr(queue, name) for name in QUEUE_KEYS), queue.job("o"), queue.text("o")}


def test_a_limiter_has_a_tag_of_its_own_that_no_queue_can_have() -> None:
    keys = LimiterKeys("ai")
    assert list(names_of(LimiterKeys)) == ["rolling", "used"]
    assert (keys.used, keys.rolling) == ("edworkers:{limit:ai}:used", "edworkers:{limit:ai}:rolling")
    assert QUEUE_NAME.fullmatch("limit:ai") is None


@pytest.mark.parametrize("name", ["ai", "a", "data-export", "q2", "a" + "b" * 40])
def test_a_name_for_a_queue(name: str) -> None:
    assert QUEUE_NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", "AI", "2q", "-a", "a_b", "a b", "a}", "{a", "a:b", "ai\n", "ä", "a" + "b" * 41])
def test_no_name_for_a_queue(name: str) -> None:
    assert not QUEUE_NAME.fullmatch(name)
