"""What the operator is told by its environment: where Redis is, what pods are made of, which namespaces it serves.

Pure: a mapping goes in, frozen settings or every fault come out.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from edworkers.core.errors import SettingsError
from edworkers.core.settings import Settings, faults_of

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):([0-9]{1,5})")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def _split(value: object) -> object:
    """Read a list as environments hold it: names between commas."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _check_address(address: str) -> str:
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match[2]) < 65536:
        raise ValueError(f"{address!r} is no host:port, such as redis.default.svc:6379")
    return address


def _check_namespace(name: str) -> str:
    if _NAMESPACE.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no name of a namespace")
    return name


Address = Annotated[str, AfterValidator(_check_address)]
Namespace = Annotated[str, AfterValidator(_check_namespace)]


class RedisAddress(Settings):
    """Where Redis is, as runners, KEDA and the operator reach it, and which Secret holds its password."""

    mode: Literal["standalone", "sentinel", "cluster"] = "standalone"
    addresses: Annotated[tuple[Address, ...], BeforeValidator(_split), Field(min_length=1)]
    """One `host:port`; of Sentinel or a cluster as many as are known."""
    master: str = ""
    """The name that Sentinel has for the master."""
    database: int = Field(default=0, ge=0)
    username: str = ""
    secret: str = ""
    """A Secret in the pool's own namespace; empty where Redis asks for no password."""
    password_key: str = "password"  # noqa: S105 - the name of a key
    tls: bool = False

    @model_validator(mode="after")
    def _check_mode(self) -> "RedisAddress":
        if self.mode == "standalone" and len(self.addresses) > 1:
            raise ValueError("a standalone Redis has one address")
        if self.mode == "sentinel" and not self.master:
            raise ValueError("with Sentinel the name of the master must be given")
        if self.mode == "cluster" and self.database:
            raise ValueError("a Redis Cluster has only database 0")
        return self


class RenderSettings(Settings):
    """What every pool's pods have in common."""

    image: str = Field(min_length=1)
    """Of the runners, where a pool names none."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    image_pull_secrets: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()
    redis: RedisAddress
    network_policy: bool = True
    """Whether each pool has a NetworkPolicy: nothing comes in but health checks and metrics."""


class Capabilities(Settings):
    """Which kinds of objects this cluster knows besides Kubernetes' own."""

    keda: bool = False
    pod_monitor: bool = False


class OperatorSettings(Settings):
    """How the operator itself runs."""

    render: RenderSettings
    namespace: Namespace
    """Its own: of the Lease and the keeper's ConfigMap."""
    identity: str = Field(min_length=1)
    """Its pod's name."""
    watch_namespaces: Annotated[tuple[Namespace, ...], BeforeValidator(_split)] = ()
    """Empty for the whole cluster."""
    lease: str = "edworkers-operator"
    keeper_config: str = ""
    """The ConfigMap in which the keeper finds the pools; empty where there is no keeper."""
    redis_password: str = ""
    health_port: int = Field(default=8080, ge=0, le=65535)
    poll_seconds: float = Field(default=5, ge=0.2, le=300)
    """How often the queues are counted."""
    resync_seconds: float = Field(default=300, ge=1)
    """How often every pool is reconciled without a cause."""
    drain_seconds: float = Field(default=3600, ge=0)
    """How long a pool whose deletionPolicy is Drain may take to empty its queue."""


_REDIS = {
    "EDWORKERS_REDIS_MODE": "mode",
    "EDWORKERS_REDIS_ADDRESSES": "addresses",
    "EDWORKERS_REDIS_MASTER": "master",
    "EDWORKERS_REDIS_DATABASE": "database",
    "EDWORKERS_REDIS_USERNAME": "username",
    "EDWORKERS_REDIS_SECRET": "secret",
    "EDWORKERS_REDIS_PASSWORD_KEY": "password_key",
    "EDWORKERS_REDIS_TLS": "tls",
}
_RENDER = {
    "EDWORKERS_RUNNER_IMAGE": "image",
    "EDWORKERS_IMAGE_PULL_POLICY": "image_pull_policy",
    "EDWORKERS_IMAGE_PULL_SECRETS": "image_pull_secrets",
    "EDWORKERS_NETWORK_POLICY": "network_policy",
}
_OPERATOR = {
    "EDWORKERS_NAMESPACE": "namespace",
    "EDWORKERS_IDENTITY": "identity",
    "EDWORKERS_WATCH_NAMESPACES": "watch_namespaces",
    "EDWORKERS_LEASE": "lease",
    "EDWORKERS_KEEPER_CONFIG": "keeper_config",
    "EDWORKERS_HEALTH_PORT": "health_port",
    "EDWORKERS_POLL_SECONDS": "poll_seconds",
    "EDWORKERS_RESYNC_SECONDS": "resync_seconds",
    "EDWORKERS_POOL_DRAIN_SECONDS": "drain_seconds",
    "REDIS_PASSWORD": "redis_password",
}
_NAMES = {field: name for names in (_REDIS, _RENDER, _OPERATOR) for name, field in names.items()}


def read_settings(env: Mapping[str, str]) -> OperatorSettings:
    """Read the operator's settings; a variable that is empty counts as not set.

    Raises SettingsError with every fault, each by the name of its variable.
    """
    render: dict[str, Any] = {**_pick(env, _RENDER), "redis": _pick(env, _REDIS)}
    try:
        return OperatorSettings.model_validate({**_pick(env, _OPERATOR), "render": render}, by_name=True)
    except ValidationError as error:
        faults = [(_place(fault["loc"]), fault["msg"]) for fault in error.errors(include_url=False)]
        raise SettingsError(
            "the operator was not started, for these settings can't be used:", faults_of(faults)
        ) from error


def _pick(env: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    return {field: value for name, field in names.items() if (value := env.get(name, ""))}


def _place(parts: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Name the variable instead of the field."""
    fields = [part for part in parts if isinstance(part, str) and part not in {"render", "redis"}]
    # Pydantic places a missing field by its alias.
    found = [re.sub("[A-Z]", lambda match: f"_{match[0].lower()}", field) for field in fields]
    return tuple(_NAMES.get(field, field) for field in found) or ("EDWORKERS_REDIS_ADDRESSES",)
