"""Users of Redis with the least rights that each needs, written as ACL rules."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from edworkers.adapters.redis.scripts import script

_WORD = re.compile(r"'([A-Z]{3,})'")
_OPTIONS = {"WITHSCORES", "WITHVALUES", "LIMIT", "RIGHT", "LEFT"}
"""Words in capitals in the scripts that are no commands."""

_CONNECT = ("ping", "select", "role", "cluster|slots")
"""HELLO and AUTH need no right. ROLE is asked of a master that Sentinel named, CLUSTER SLOTS of a node."""
_RUN = ("eval", "evalsha")
_COUNT = ("llen", "hlen", "zcard", "scard", "exists", "pttl", "type")
_READ = (
    *("hgetall", "hget", "hmget", "lrange", "lindex", "zrange", "zrevrange", "zrangebyscore", "zscore"),
    *("smembers", "ttl", "time", "multi", "exec"),
)
_OF_SERIES = ("getrange", "xrange", "xrevrange")
"""What reads the figures and deeds that servers keep, and texts as they are written."""
_OF_OPERATORS = ("cancel", "replay", "drop")
_OF_ONLOOKERS = (
    *("peek_list", "peek_lines", "peek_index", "peek_entries", "peek_records", "peek_states", "peek_for"),
    "read_operations",
)
_OF_BOOKS = ("write_sample", "save_operation", "take_turn", "keep_once", "count_call")
_OF_PRODUCERS = ("enqueue",)
OF_KEEPERS = (
    *("reap", "promote", "trim", "repair", "repair_lines", "free", "unsorted", "sort", "set_aside", "head"),
    *_OF_PRODUCERS,
)
"""Every script that keepers run."""


@dataclass(frozen=True, slots=True)
class User:
    """One user of Redis."""

    name: str
    what: str
    commands: tuple[str, ...]
    """What it may do, sorted."""
    hears: bool = False
    """Whether it uses the channel by which runners are told."""
    limits: bool = False
    """Whether it uses the counters of limits."""
    books: bool = False
    """Whether it uses what servers keep between them."""
    key: str = "*"
    """Which of a queue's keys it uses."""

    def rule(self, queues: Sequence[str]) -> str:
        """Write the command that makes it; no queues are all queues."""
        everywhere = "~edworkers:*" if self.key == "*" else f"~edworkers:{{*}}:{self.key}"
        keys = [f"~edworkers:{{{queue}}}:{self.key}" for queue in queues] or [everywhere]
        if queues and self.limits:
            keys += [f"~edworkers:{{limit:{queue}}}:*" for queue in queues]
        if queues and self.books:
            keys.append("~edworkers:{server}:*")
        channels = [f"&edworkers:{{{queue}}}:events" for queue in queues] or ["&edworkers:*"]
        words = [*keys, *(channels if self.hears else ()), *(f"+{command}" for command in self.commands)]
        return f"ACL SETUSER edworkers-{self.name} reset on >CHANGE-ME {' '.join(words)}"


def _in_scripts(names: Sequence[str]) -> set[str]:
    """Find the commands in these scripts: Redis asks for the right to each of them, too."""
    words = {word for name in names for word in _WORD.findall(script(name).text)}
    return {word.lower() for word in words - _OPTIONS}


def _all_scripts() -> list[str]:
    found = (files(__package__ or "") / "lua").iterdir()
    return sorted(file.name.removesuffix(".lua") for file in found if file.name.endswith(".lua"))


def _sorted(*commands: str) -> tuple[str, ...]:
    return tuple(sorted({*_CONNECT, *commands}))


def users() -> list[User]:
    """Give every user there is a use for, the least powerful first."""
    of_others = {*_OF_OPERATORS, *_OF_ONLOOKERS, *_OF_BOOKS}
    of_runners = [name for name in _all_scripts() if name not in of_others]
    background = ("info", *_RUN, *_COUNT, *_READ, "lrem", "unlink")
    running = _sorted(*background, *_in_scripts(of_runners), "blmove", "subscribe")
    looking = _sorted(*_RUN, *_COUNT, *_READ, *_OF_SERIES, *_in_scripts(_OF_ONLOOKERS))
    serving = _in_scripts([*_OF_PRODUCERS, *_OF_OPERATORS, *_OF_BOOKS])
    return [
        User("keda", "counts the queue for the autoscaler", _sorted("eval", *_COUNT)),
        User("pusher", "puts jobs on queues, by LPUSH or RPUSH only", _sorted("lpush", "rpush"), key="pending"),
        User("dashboard", "looks at queues, jobs and results", looking, limits=True, books=True),
        User(
            "producer",
            "puts jobs on queues, by LPUSH or `edworkers enqueue`",
            _sorted("lpush", "rpush", *_RUN, *_in_scripts(_OF_PRODUCERS)),
        ),
        User("keeper", "promotes, reaps, forwards, trims", _sorted(*background, *_in_scripts(OF_KEEPERS)), hears=True),
        User("runner", "works on jobs", running, hears=True, limits=True),
        User(
            "server",
            "serves the HTTP API and the dashboard",
            _sorted(*looking, *serving, "xadd", "publish", "sadd", "del"),
            hears=True,
            limits=True,
            books=True,
        ),
        User(
            "admin",
            "a person who pauses, cancels, replays and drops by the command line",
            _sorted(*running, *_in_scripts([*of_runners, *_OF_OPERATORS]), "publish", "sadd", "del"),
            hears=True,
            limits=True,
        ),
    ]
