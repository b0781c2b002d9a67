"""Whom to ask where Redis is, and what to make of the answers."""

from collections.abc import Sequence
from typing import Any

import pytest
import redis
from redis.exceptions import AuthenticationError

from edworkers.adapters.redis.address import Host, RedisAddress, redis_address
from edworkers.adapters.redis.whereabouts import masters_of, slot_of, whereabouts
from edworkers.core.keys import LimiterKeys, QueueKeys

SENTINELS = redis_address({"REDIS_SENTINELS": "a:1,b:2,c:3", "REDIS_MASTER": "jobs"})
NODES = redis_address({"REDIS_NODES": "a:1,b:2", "REDIS_PASSWORD": "pw"})
A, B, C = (Host(name, port) for name, port in (("a", 1), ("b", 2), ("c", 3)))
MAP = [[0, 8191, [b"x", 7000, b"id"], [b"r", 7002, b"id"]], [8192, 16383, [b"y", 7001, b"id"]]]


class Answers:
    """Answers as told, and remembers who was asked."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers
        self.asked: list[Host] = []
        self.questions: set[tuple[str, ...]] = set()

    def __call__(self, address: RedisAddress, question: Sequence[str]) -> Any:
        self.asked.append(address.hosts[0])
        self.questions.add(tuple(question))
        answer = self._answers[address.hosts[0].name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def later(self, address: RedisAddress, question: Sequence[str]) -> Any:
        return self(address, question)


@pytest.mark.parametrize(
    ("key", "slot"),
    [("foo", 12182), ("{foo}:bar", 12182), ("x{foo}{bar}", 12182), ("", 0), ("foo{}", 5542), ("{}", 15257)],
)
def test_the_slot_of_a_key_is_that_of_its_hash_tag(key: str, slot: int) -> None:
    assert slot_of(key) == slot


def test_all_keys_of_a_queue_lie_in_one_slot_and_those_of_its_limiter_in_another() -> None:
    keys, limits = QueueKeys("ai"), LimiterKeys("ai")
    assert len({slot_of(key) for key in (keys.pending, keys.job("{x}"), keys.totals)}) == 1
    assert slot_of(limits.used) == slot_of(limits.rolling) != slot_of(keys.pending)


def test_a_single_redis_is_where_it_is() -> None:
    assert whereabouts(redis_address({}), "key") is None


def test_the_next_sentinel_is_asked_first_each_time() -> None:
    place, answers = whereabouts(SENTINELS, ""), Answers(a=[b"m", b"9"], b=[b"m", b"9"], c=[b"m", b"9"])
    assert place is not None
    assert [place.ask(answers) for _ in range(4)] == [Host("m", 9)] * 4
    assert answers.asked == [A, B, C, A]
    assert answers.questions == {("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "jobs")}
    assert place.must_be_master


async def test_sentinels_that_are_away_or_know_nothing_are_passed_over() -> None:
    place = whereabouts(SENTINELS, "")
    assert place is not None
    answers = Answers(a=redis.ConnectionError("refused"), b=None, c=[b"m", b"9"])
    assert place.ask(answers) == Host("m", 9)
    assert await place.ask_async(answers.later) == Host("m", 9)
    assert answers.asked == [A, B, C, B, C]


async def test_where_nobody_knows_each_says_why() -> None:
    place = whereabouts(SENTINELS, "")
    assert place is not None
    answers = Answers(a=redis.ConnectionError("refused"), b=None, c=TimeoutError())
    said = "nobody says where the master jobs of the Sentinels a:1, b:2, c:3 is: a:1: refused; b:2 doesn't know; c:3: "
    with pytest.raises(redis.ConnectionError, match=f"{said}TimeoutError"):
        place.ask(answers)
    with pytest.raises(redis.ConnectionError):
        await place.ask_async(answers.later)


def test_a_refusal_is_told_as_such_only_where_all_refuse() -> None:
    place, refusal = whereabouts(NODES, "key"), AuthenticationError("WRONGPASS")
    assert place is not None
    with pytest.raises(AuthenticationError):
        place.ask(Answers(a=refusal, b=refusal))
    with pytest.raises(redis.ConnectionError) as away:
        place.ask(Answers(a=refusal, b=redis.ConnectionError("refused")))
    assert not isinstance(away.value, AuthenticationError)


def test_the_master_of_a_slot_is_found_by_any_node() -> None:
    low, high = whereabouts(NODES, "{}"), whereabouts(NODES, "foo{}")
    assert low is not None
    assert high is not None
    assert low.ask(Answers(a=MAP)) == Host("y", 7001)
    assert high.ask(Answers(a=MAP)) == Host("x", 7000)


def test_nodes_that_were_told_of_are_asked_too_when_those_at_the_start_are_gone() -> None:
    place = whereabouts(NODES, "foo{}")
    assert place is not None
    place.ask(Answers(a=MAP))
    gone = redis.ConnectionError("gone")
    answers = Answers(a=gone, b=gone, x=gone, y=MAP)
    assert place.ask(answers) == Host("x", 7000)
    assert answers.asked == [B, Host("x", 7000), Host("y", 7001)]


def test_a_slot_that_nobody_serves_is_told() -> None:
    place = whereabouts(NODES, "{}")
    assert place is not None
    with pytest.raises(redis.ConnectionError, match="a:1 doesn't know; b:2 doesn't know"):
        place.ask(Answers(a=MAP[:1], b=[]))


@pytest.mark.parametrize("name", [b"", None, b"?"])
def test_a_node_that_doesnt_know_its_name_is_the_one_that_was_asked(name: bytes | None) -> None:
    assert masters_of([[0, 16383, [name, 7000, b"id"]]], A) == [(0, 16383, Host("a", 7000))]
