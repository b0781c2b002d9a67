"""Where is the Redis that has this key, now? Asked anew for every connection, so that a failover is followed.

A Sentinel is asked for its master, a node of a cluster for the slots. Each time another one is asked first, so that one
that is frozen, or cut off from the others and tells what is no longer so, can't hold us up for ever.
"""

import binascii
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from edworkers.adapters.redis.address import Host, RedisAddress

SLOTS = 16384
_REFUSALS = (AuthenticationError, NoPermissionError)

Question = Sequence[str]
Ask = Callable[[RedisAddress, Question], Any]
"""Asks one server one question on a connection of its own."""
AskAsync = Callable[[RedisAddress, Question], Awaitable[Any]]


def slot_of(key: str) -> int:
    """Find the slot of a key: that of its hash tag, if it has one."""
    _, opened, rest = key.partition("{")
    tag, closed, _ = rest.partition("}")
    return binascii.crc_hqx((tag if opened and closed and tag else key).encode(), 0) % SLOTS


class Whereabouts(Protocol):
    """Finds the server of one key."""

    def ask(self, ask: Ask) -> Host:
        """Find it. Raises redis.ConnectionError when nobody knows, and what all answered when all refused us."""
        ...

    async def ask_async(self, ask: AskAsync) -> Host:
        """Find it, as `ask` does."""
        ...

    @property
    def must_be_master(self) -> bool:
        """Whether what is found there may have become a replica meanwhile, so that it is asked by ROLE."""
        ...


class _Asked:
    """Whom to ask, and what to make of the answers."""

    def __init__(self, address: RedisAddress, question: Question) -> None:
        self._address = address
        self._question = question
        self._first = -1
        self._errors: list[Exception] = []
        self._said: list[str] = []

    def _to_ask(self) -> list[RedisAddress]:
        raise NotImplementedError

    def _read(self, answer: Any, asked: Host) -> Host | None:
        raise NotImplementedError

    def _in_turn(self) -> list[RedisAddress]:
        self._errors, self._said = [], []
        found = self._to_ask()
        self._first = (self._first + 1) % len(found)
        return found[self._first :] + found[: self._first]

    def _heard(self, answer: Any, address: RedisAddress) -> Host | None:
        found = self._read(answer, address.hosts[0])
        if found is None:
            self._said.append(f"{address.hosts[0]} doesn't know")
        return found

    def _failed(self, error: Exception, address: RedisAddress) -> None:
        self._errors.append(error)
        self._said.append(f"{address.hosts[0]}: {str(error) or type(error).__name__}")

    def _nobody(self) -> Exception:
        if self._errors and all(isinstance(error, _REFUSALS) for error in self._errors):
            return self._errors[0]
        return redis.ConnectionError(f"nobody says where {self._address} is: {'; '.join(self._said)}")

    def ask(self, ask: Ask) -> Host:
        """Find it, in a thread that may wait."""
        for address in self._in_turn():
            try:
                found = self._heard(ask(address, self._question), address)
            except (RedisError, OSError) as error:
                self._failed(error, address)
            else:
                if found is not None:
                    return found
        raise self._nobody()

    async def ask_async(self, ask: AskAsync) -> Host:
        """Find it, in the event loop."""
        for address in self._in_turn():
            try:
                found = self._heard(await ask(address, self._question), address)
            except (RedisError, OSError) as error:
                self._failed(error, address)
            else:
                if found is not None:
                    return found
        raise self._nobody()


class OfSentinel(_Asked):
    """The master that the Sentinels have chosen."""

    must_be_master = True

    def __init__(self, address: RedisAddress) -> None:
        super().__init__(address, ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", address.master))

    def _to_ask(self) -> list[RedisAddress]:
        return [self._address.sentinel(host) for host in self._address.hosts]

    def _read(self, answer: Any, asked: Host) -> Host | None:  # noqa: ARG002
        return None if answer is None else Host(_text(answer[0]), int(answer[1]))


class OfCluster(_Asked):
    """The master of one slot."""

    must_be_master = False
    """A replica of a cluster says by MOVED that it is one."""

    def __init__(self, address: RedisAddress, slot: int) -> None:
        super().__init__(address, ("CLUSTER", "SLOTS"))
        self._slot = slot
        self.seen: tuple[Host, ...] = ()
        """Every master that the last answer told of."""

    def _to_ask(self) -> list[RedisAddress]:
        # Nodes come and go: those that are named at the start may be gone one day.
        return [self._address.only(host) for host in dict.fromkeys((*self._address.hosts, *self.seen))]

    def _read(self, answer: Any, asked: Host) -> Host | None:
        masters = masters_of(answer, asked)
        self.seen = tuple(dict.fromkeys(host for _, _, host in masters))
        return next((host for first, last, host in masters if first <= self._slot <= last), None)


def masters_of(answer: Any, asked: Host) -> list[tuple[int, int, Host]]:
    """Read an answer to CLUSTER SLOTS: the first and last slot of each range, and its master.

    A node that doesn't know its own name leaves it empty: it is the one that was asked.
    """
    return [
        (int(first), int(last), Host(_text(master[0]) or asked.name, int(master[1])))
        for first, last, master, *_replicas in answer
    ]


def _text(word: bytes | str | None) -> str:
    text = word.decode() if isinstance(word, bytes) else word or ""
    return "" if text == "?" else text


def whereabouts(address: RedisAddress, key: str) -> Whereabouts | None:
    """Say whom to ask for the server of a key; None where there is only one, whose address is known."""
    if address.mode == "sentinel":
        return OfSentinel(address)
    return OfCluster(address, slot_of(key)) if address.mode == "cluster" else None
