"""Which Redis the environment means: a single one, one behind Sentinel, or a cluster; and how it is spoken to."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, cast
from urllib.parse import quote, urlsplit, urlunsplit

import redis.connection

from edworkers.core.errors import SettingsError

_SCHEMES = ("redis", "rediss")
_TLS = {"": False, "false": False, "0": False, "no": False, "true": True, "1": True, "yes": True}
_FILES = {"REDIS_TLS_CA": "ssl_ca_certs", "REDIS_TLS_CERT": "ssl_certfile", "REDIS_TLS_KEY": "ssl_keyfile"}
_PORT, _SENTINEL_PORT = 6379, 26379

Mode = Literal["standalone", "sentinel", "cluster"]


class Host(NamedTuple):
    """Where a server listens."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """Where Redis is and how it is spoken to."""

    hosts: tuple[Host, ...]
    """The server; of Sentinel the Sentinels; of a cluster those of its nodes that are known."""
    mode: Mode = "standalone"
    master: str = ""
    """The name that Sentinel has for the master."""
    username: str = ""
    password: str = field(default="", repr=False)
    database: int = 0
    tls: bool = False
    sentinel_username: str = ""
    sentinel_password: str = field(default="", repr=False)
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """What redis-py's connections are told besides: files for TLS, and whatever REDIS_URL asks for after its `?`."""

    def __str__(self) -> str:
        hosts = ", ".join(map(str, self.hosts))
        if self.mode == "sentinel":
            return f"the master {self.master} of the Sentinels {hosts}"
        if self.mode == "cluster":
            return f"the cluster of {hosts}"
        return without_password(self.url)

    @property
    def url(self) -> str:
        """The first host as an address for redis-py and redis-cli, with the password."""
        user, password = (quote(word, safe="") for word in (self.username, self.password))
        credentials = f"{user}:{password}@" if user or password else ""
        return f"{'rediss' if self.tls else 'redis'}://{credentials}{self.hosts[0]}/{self.database}"

    @property
    def set_by(self) -> str:
        """The variables that say where it is."""
        return {
            "standalone": "REDIS_URL, or REDIS_HOST and REDIS_PORT, set",
            "sentinel": "REDIS_SENTINELS and REDIS_MASTER set",
            "cluster": "REDIS_NODES sets",
        }[self.mode]

    @property
    def tls_hint(self) -> str:
        """What else to check with TLS: a server that wants a certificate, or no TLS, says nothing of it."""
        if not self.tls:
            return ""
        more = (
            "" if "ssl_certfile" in self.options else " (if it asks for a certificate: REDIS_TLS_CERT, REDIS_TLS_KEY)"
        )
        return f" and talks TLS there{more}"

    def only(self, host: Host) -> "RedisAddress":
        """Give the address of one server of several, spoken to in the same way."""
        return replace(self, mode="standalone", hosts=(host,), master="")

    def sentinel(self, host: Host) -> "RedisAddress":
        """Give the address of one Sentinel, which has users of its own and no databases."""
        return replace(self.only(host), username=self.sentinel_username, password=self.sentinel_password, database=0)


def parse_address(url: str) -> RedisAddress:
    """Read the address of a single Redis. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.port == 0:
        raise ValueError("it is no address of Redis")
    options: dict[str, Any] = cast("Any", redis.connection).parse_url(url)
    options.pop("connection_class", None)
    return RedisAddress(
        hosts=(Host(options.pop("host"), options.pop("port", _PORT)),),
        username=options.pop("username", ""),
        password=options.pop("password", ""),
        database=options.pop("db", 0),
        tls=parts.scheme == "rediss",
        options=options,
    )


def without_password(url: str) -> str:
    """Write the address of a single Redis for people to read."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    host = f"{f'[{name}]' if ':' in name else name}:{parts.port or _PORT}"
    return urlunsplit((parts.scheme, f"***@{host}" if parts.password else host, parts.path, "", ""))


def redis_address(env: Mapping[str, str]) -> RedisAddress:
    """Find the address: REDIS_URL, or REDIS_SENTINELS, or REDIS_NODES, or REDIS_HOST, and what belongs to each.

    Raises SettingsError with every fault.
    """
    faults = _mode_faults(env)
    address = _from_url(env, faults) if env.get("REDIS_URL") else _from_parts(env, faults)
    files = _files(env, address.tls, faults)
    if faults:
        raise SettingsError("Redis' address can't be used:", list(dict.fromkeys(faults)))
    return replace(address, options={**address.options, **files})


def redis_url(env: Mapping[str, str]) -> str:
    """Find the address of a single Redis as one URL; as `redis_address` does."""
    address = redis_address(env)
    return env.get("REDIS_URL") or address.url


def _mode_faults(env: Mapping[str, str]) -> list[str]:
    """Refuse two addresses: to pass over one may be to work on another Redis than the one that was meant."""
    given = [name for name in ("REDIS_URL", "REDIS_SENTINELS", "REDIS_NODES") if env.get(name)]
    faults = [f"{' and '.join(given)}: each says where Redis is; set one of them"] if len(given) > 1 else []
    if env.get("REDIS_SENTINELS") and not env.get("REDIS_MASTER"):
        faults.append("REDIS_MASTER: give the name that Sentinel has for the master, such as mymaster")
    if env.get("REDIS_MASTER") and not env.get("REDIS_SENTINELS"):
        faults.append("REDIS_SENTINELS: give the addresses of the Sentinels, or leave REDIS_MASTER out")
    return faults


def _from_url(env: Mapping[str, str], faults: list[str]) -> RedisAddress:
    try:
        return parse_address(env["REDIS_URL"])
    except ValueError:
        faults.append("REDIS_URL: must look like redis://:password@host:6379/0, or rediss:// for TLS")
        return RedisAddress(hosts=())


def _from_parts(env: Mapping[str, str], faults: list[str]) -> RedisAddress:
    mode, hosts = _hosts(env, faults)
    return RedisAddress(
        hosts=hosts,
        mode=mode,
        master=env.get("REDIS_MASTER", ""),
        username=env.get("REDIS_USERNAME", ""),
        password=env.get("REDIS_PASSWORD", ""),
        database=_database(env, mode, faults),
        tls=_tls(env, faults),
        sentinel_username=env.get("REDIS_SENTINEL_USERNAME", ""),
        sentinel_password=env.get("REDIS_SENTINEL_PASSWORD", ""),
    )


def _hosts(env: Mapping[str, str], faults: list[str]) -> tuple[Mode, tuple[Host, ...]]:
    if env.get("REDIS_SENTINELS"):
        return "sentinel", _listed(env, "REDIS_SENTINELS", _SENTINEL_PORT, faults)
    if env.get("REDIS_NODES"):
        return "cluster", _listed(env, "REDIS_NODES", _PORT, faults)
    port = _read_port(_port(env))
    if port is None:
        faults.append(f"REDIS_PORT: {env.get('REDIS_PORT')!r} is no port; give a number from 1 to 65535")
    return "standalone", (Host(env.get("REDIS_HOST") or "127.0.0.1", port or _PORT),)


def _port(env: Mapping[str, str]) -> str:
    """Read the port; Kubernetes sets REDIS_PORT to tcp://10.0.0.7:6379 beside a Service whose name is redis."""
    port = env.get("REDIS_PORT") or str(_PORT)
    return port.rpartition(":")[2] if port.startswith("tcp://") else port


def _read_port(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 65536 else None


def _listed(env: Mapping[str, str], name: str, port: int, faults: list[str]) -> tuple[Host, ...]:
    words = [word.strip() for word in env[name].split(",")]
    hosts = {word: _read_host(word, port) for word in words if word}
    faults += [
        f"{name}: {word!r} is no address; give some like redis-0.example:{port}, with commas between them"
        for word, host in hosts.items()
        if host is None
    ]
    if not hosts:
        faults.append(f"{name}: there is no address in it")
    return tuple(host for host in hosts.values() if host is not None)


def _read_host(word: str, usual_port: int) -> Host | None:
    try:
        parts = urlsplit(f"//{word}")
        port = parts.port
    except ValueError:
        return None
    is_host = parts.hostname and parts.netloc == word and "@" not in word and port != 0
    return Host(parts.hostname, port or usual_port) if is_host and parts.hostname else None


def _database(env: Mapping[str, str], mode: Mode, faults: list[str]) -> int:
    database = env.get("REDIS_DATABASE") or "0"
    if not (database.isascii() and database.isdigit() and int(database) < 2**16):
        faults.append(f"REDIS_DATABASE: {database!r} is no database; give a number such as 0")
        return 0
    if mode == "cluster" and int(database):
        faults.append("REDIS_DATABASE: a Redis Cluster has only database 0")
    return int(database)


def _tls(env: Mapping[str, str], faults: list[str]) -> bool:
    tls = env.get("REDIS_TLS", "")
    if tls.lower() not in _TLS:
        faults.append(f"REDIS_TLS: {tls!r} is neither true nor false")
    return _TLS.get(tls.lower(), False)


def _files(env: Mapping[str, str], tls: bool, faults: list[str]) -> dict[str, str]:  # noqa: FBT001
    """Find the files that TLS needs."""
    given = {name: env[name] for name in _FILES if env.get(name)}
    known = not faults
    if given and not tls and known:
        faults.append(
            f"{', '.join(given)}: would not be used; set REDIS_TLS to true, or begin REDIS_URL with rediss://"
        )
    if ("REDIS_TLS_CERT" in given) != ("REDIS_TLS_KEY" in given):
        faults.append("REDIS_TLS_CERT, REDIS_TLS_KEY: a certificate and its key go together; give both or neither")
    faults += [f"{name}: {path!r} can't be read" for name, path in given.items() if not os.access(path, os.R_OK)]
    return {_FILES[name]: path for name, path in given.items()}
