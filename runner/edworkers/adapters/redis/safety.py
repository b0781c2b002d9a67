"""Whether a Redis can be trusted with jobs: its version, and what it does when its memory is full."""

from collections.abc import Mapping

from redis.exceptions import NoPermissionError

from edworkers.adapters.redis.address import RedisAddress
from edworkers.adapters.redis.connection import ask_async, find_host
from edworkers.adapters.redis.whereabouts import OfCluster
from edworkers.core.errors import UnsafeRedisError
from edworkers.telemetry import log

_OLDEST_SERVER = (6, 2)
_MOST_OF_MEMORY = 0.5
"""More than this part of the memory for records of finished jobs leaves too little for those that wait."""


def read_info(text: bytes | str) -> dict[str, str]:
    """Read the answer to INFO."""
    lines = (text.decode(errors="replace") if isinstance(text, bytes) else text).splitlines()
    return {name: value for name, colon, value in (line.partition(":") for line in lines) if colon}


def danger(info: Mapping[str, str]) -> str | None:
    """Say why this Redis could lose jobs by its own configuration, if it could."""
    version = info.get("redis_version", "0")
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_SERVER:
        return f"Redis {version} is too old: edworkers needs 6.2 or later"
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        return (
            f"this Redis deletes keys when its memory is full (maxmemory-policy {policy}), and so would lose jobs; "
            "set it with: redis-cli CONFIG SET maxmemory-policy noeviction"
        )
    return None


async def check_server(address: RedisAddress, kept_bytes: int = 0) -> None:
    """Refuse a Redis that could lose jobs; of a cluster, every master is looked at.

    `kept_bytes` is how much its queues may keep of finished jobs. Raises UnsafeRedisError.
    """
    for which, one in await _servers(address):
        info = await _info(one)
        reason = danger(info)
        if reason is not None:
            raise UnsafeRedisError(f"{which}{reason}")
        _warn_of_small_memory(info, kept_bytes)


async def _servers(address: RedisAddress) -> list[tuple[str, RedisAddress]]:
    if address.mode != "cluster":
        return [("", address)]
    place = OfCluster(address, 0)
    await find_host(place)
    return [(f"{host}: ", address.only(host)) for host in place.seen]


async def _info(one: RedisAddress) -> dict[str, str]:
    try:
        return read_info(await ask_async(one, ("INFO",)))
    except NoPermissionError as error:
        user = one.username or "default"
        raise NoPermissionError(
            f"the user {user} may not ask by INFO whether jobs are safe there; allow it: ACL SETUSER {user} +info"
        ) from error


def _warn_of_small_memory(info: Mapping[str, str], kept_bytes: int) -> None:
    memory = int(info.get("maxmemory", "0"))
    if memory and kept_bytes > memory * _MOST_OF_MEMORY:
        log.warning(
            "redis.small",
            maxmemory=memory,
            kept_bytes=kept_bytes,
            reason="retention.maxBytes lets records of finished jobs take more than half of Redis' memory",
            then="make it smaller, or Redis' maxmemory larger",
        )
