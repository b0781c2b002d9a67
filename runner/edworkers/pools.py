"""From the environment and manifests to pools: each with its settings and its handlers, or every fault at once."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import yaml
from pydantic_core import from_json

from edworkers.adapters.isolation.terms import find_faults as find_isolation_faults
from edworkers.adapters.redis.address import redis_address
from edworkers.core.errors import SettingsError, UnknownQueueError
from edworkers.core.manifest import API_VERSION, KIND, read_manifest
from edworkers.core.settings import PoolSpec
from edworkers.handlers import registry
from edworkers.ports import HandlerModule

_NOT_STARTED = "nothing was started, for these settings can't be used:"


def read_environment(env_file: Path = Path(".env")) -> dict[str, str]:
    """Read the process's environment; what it doesn't set is taken from a `.env` file.

    Raises SettingsError where that file can't be read, with every line that is none.
    """
    found: dict[str, str] = {}
    if env_file.is_file():
        from dotenv import dotenv_values

        text = _read_text(env_file)
        _check_lines(text, env_file)
        found = {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value is not None}
    return {**found, **os.environ}


def _check_lines(text: str, env_file: Path) -> None:
    """Refuse what python-dotenv would pass over with a warning: a default would take the place of what was meant."""
    from dotenv.parser import parse_stream

    faults = [
        f"line {binding.original.line} is no setting: NAME=value, with quotes closed where there are any"
        for binding in parse_stream(StringIO(text))
        if binding.error
    ]
    if faults:
        raise SettingsError(f"{env_file} can't be used:", faults)


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool with the handlers that it names."""

    spec: PoolSpec
    module: HandlerModule

    def faults(self, env: Mapping[str, str]) -> list[str]:
        """Say what the environment lacks for this pool's handlers, and the machine for their isolation."""
        lacking = [fault for handler in self.module.handlers for fault in handler.faults(env)]
        return lacking + find_isolation_faults(self.spec, self.module)


def read_manifests(text: str, source: str) -> list[PoolSpec]:
    """Read WorkerPool manifests from YAML.

    Raises SettingsError with every fault of every manifest.
    """
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise SettingsError(f"{source} is not YAML:", [str(error)]) from error
    faults: list[str] = []
    specs = [spec for document in documents if (spec := read_manifest(document, faults)) is not None]
    if not documents:
        faults.append("no WorkerPool is in it")
    if faults:
        raise SettingsError(f"{source} can't be used:", faults)
    return specs


def find_spec(queue: str, env: Mapping[str, str], manifest: Path | None = None) -> PoolSpec:
    """Find a queue's settings: a manifest, EDWORKERS_POOL (the spec as JSON), EDWORKERS_POOLS, or those built in.

    Raises SettingsError, UnknownQueueError.
    """
    specs = _given_specs(env, manifest)
    for spec in specs:
        if spec.queue == queue:
            return spec
    if manifest is None and not env.get("EDWORKERS_POOL"):
        return registry.pool_for_queue(queue)
    raise SettingsError(f"no pool for the queue {queue!r}:", [f"the manifest serves {spec.queue!r}" for spec in specs])


def _given_specs(env: Mapping[str, str], manifest: Path | None) -> list[PoolSpec]:
    """Read the pools of a manifest, or else of EDWORKERS_POOL, or else of the file that EDWORKERS_POOLS names."""
    if manifest is not None:
        return read_manifests(_read_text(manifest), str(manifest))
    if given := env.get("EDWORKERS_POOL"):
        return read_manifests(_as_manifest(given), "EDWORKERS_POOL")
    file = Path(env.get("EDWORKERS_POOLS") or os.devnull)
    # An operator writes it, and nothing into it while there are no pools.
    text = _read_text(file) if file.exists() else ""
    return read_manifests(text, str(file)) if text.strip() else []


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path} can't be read:", [error.strerror or str(error)]) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} can't be read:", [f"it is not UTF-8: {error}"]) from error


def _as_manifest(spec: str) -> str:
    try:
        document = {"apiVersion": API_VERSION, "kind": KIND, "spec": from_json(spec)}
    except ValueError as error:
        raise SettingsError("EDWORKERS_POOL can't be used:", [f"not JSON: {error}"]) from error
    return yaml.safe_dump(document)


def make_pool(spec: PoolSpec, env: Mapping[str, str]) -> Pool:
    """Find a pool's handlers, and apply what the environment overrides.

    Raises SettingsError.
    """
    module = registry.find_module(spec.handlers)
    return Pool(registry.override(module, spec, env), module)


def make_pools(specs: Sequence[PoolSpec], env: Mapping[str, str]) -> list[Pool]:
    """Make several pools and look at Redis' address; every fault of all of them is named at once.

    Raises SettingsError.
    """
    faults: list[str] = []
    pools: list[Pool] = []
    for spec in specs:
        try:
            module = registry.find_module(spec.handlers)
            faults += Pool(spec, module).faults(env)
            pools.append(make_pool(spec, env))
        except SettingsError as error:
            faults += error.faults
    try:
        redis_address(env)
    except SettingsError as error:
        faults += error.faults
    if faults:
        raise SettingsError(_NOT_STARTED, list(dict.fromkeys(faults)))
    return pools


def look_up(queue: str | None, env: Mapping[str, str], manifest: Path | None = None) -> list[PoolSpec]:
    """Find the settings of a queue, or of every known one where it is None, and look at Redis' address.

    Raises SettingsError with every fault, or UnknownQueueError.
    """
    errors: list[SettingsError | UnknownQueueError] = []
    specs: list[PoolSpec] = []
    try:
        specs = known_specs(env, manifest) if queue is None else [find_spec(queue, env, manifest)]
    except (SettingsError, UnknownQueueError) as error:
        errors.append(error)
    try:
        redis_address(env)
    except SettingsError as error:
        errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise SettingsError("these settings can't be used:", [fault for error in errors for fault in _in_full(error)])
    return specs


def look_up_each(queues: Sequence[str], env: Mapping[str, str], manifest: Path | None = None) -> list[PoolSpec]:
    """Find the settings of these queues, or of every known one where there are none, and look at Redis' address.

    Raises SettingsError with every fault, or UnknownQueueError.
    """
    if len(queues) > 1:
        return find_specs(list(dict.fromkeys(queues)), env, manifest, summary="these settings can't be used:")
    return look_up(queues[0] if queues else None, env, manifest)


def given_queues(env: Mapping[str, str], manifest: Path | None = None) -> list[str]:
    """Name the queues of a manifest, or of EDWORKERS_POOL; none where neither is given.

    Raises SettingsError.
    """
    if manifest is None and not env.get("EDWORKERS_POOL"):
        return []
    return list(dict.fromkeys(spec.queue for spec in _given_specs(env, manifest)))


def queues_to_run(queues: Sequence[str], env: Mapping[str, str], manifest: Path | None = None) -> list[str]:
    """Give the queues that are named, or else the one that is given with its settings.

    Raises SettingsError, which says what to type, where there isn't one.
    """
    if queues:
        return list(queues)
    given = given_queues(env, manifest)
    if len(given) == 1:
        return given
    there = (
        f"those of the manifest: {', '.join(given)}" if given else f"those there are: {', '.join(registry.installed())}"
    )
    raise SettingsError(_NOT_STARTED, [f"no queue is named: edworkers run QUEUE, one or several of {there}"])


def _in_full(error: SettingsError | UnknownQueueError) -> list[str]:
    """Write each fault so that it tells of which file or queue it is, among the faults of others."""
    if isinstance(error, SettingsError):
        return [f"{error.summary} {fault}" for fault in error.faults]
    return [str(error)]


def find_pools(queues: Sequence[str], env: Mapping[str, str], manifest: Path | None = None) -> list[Pool]:
    """Find the settings and handlers of several queues, and look at Redis' address.

    Raises SettingsError with every fault of all of them; a queue that is not known is one.
    """
    faults: list[str] = []
    specs = _find_each(queues, env, manifest, faults)
    try:
        pools = make_pools(specs, env)
    except SettingsError as error:
        raise SettingsError(error.summary, list(dict.fromkeys([*faults, *error.faults]))) from error
    if faults:
        raise SettingsError(_NOT_STARTED, faults)
    return pools


def find_specs(
    queues: Sequence[str], env: Mapping[str, str], manifest: Path | None = None, *, summary: str = _NOT_STARTED
) -> list[PoolSpec]:
    """Find the settings of several queues, whose handlers aren't needed, and look at Redis' address.

    Raises SettingsError with every fault of all of them; a queue that is not known is one.
    """
    faults: list[str] = []
    specs = _find_each(queues, env, manifest, faults)
    try:
        redis_address(env)
    except SettingsError as error:
        faults += error.faults
    if faults:
        raise SettingsError(summary, faults)
    return specs


def _find_each(
    queues: Sequence[str], env: Mapping[str, str], manifest: Path | None, faults: list[str]
) -> list[PoolSpec]:
    specs: list[PoolSpec] = []
    for queue in queues:
        try:
            specs.append(find_spec(queue, env, manifest))
        except (SettingsError, UnknownQueueError) as error:
            faults += _in_full(error)
    return specs


def known_specs(env: Mapping[str, str], manifest: Path | None = None) -> list[PoolSpec]:
    """Give the settings of the platform's queues and of those that are given, which come first.

    Raises SettingsError.
    """
    given = _given_specs(env, manifest)
    built_in = [registry.pool_for_queue(queue) for queue in registry.installed()]
    return list({spec.queue: spec for spec in (*built_in, *given)}.values())
