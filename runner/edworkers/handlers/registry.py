"""Which handlers there are, found by name and imported only when asked for."""

import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from edworkers.core.errors import SettingsError, UnknownQueueError
from edworkers.core.job import Envelope
from edworkers.core.settings import PoolSpec
from edworkers.handlers.environment import whole_number
from edworkers.ports import Handler, HandlerModule

PLATFORM = {
    "ai": "edworkers.handlers.ai",
    "webhook": "edworkers.handlers.webhook",
    "document": "edworkers.handlers.document",
    "email": "edworkers.handlers.email",
    "scheduled": "edworkers.handlers.scheduled",
}
"""Queue to module, for the kinds of work that come with edworkers."""

ENTRY_POINTS = "edworkers.handlers"
"""The group of entry points by which installed packages offer queues: `greetings = "school_jobs.greetings"`."""

_MOST_SLOTS = 10_000


def find_module(path: str) -> HandlerModule:
    """Import a module of handlers by the name of its entry point, or by its dotted path.

    Raises SettingsError when it can't be imported or offers no `MODULE`.
    """
    found = _module_of(path)
    try:
        module = getattr(importlib.import_module(found), "MODULE", None)
    except Exception as error:
        raise _unusable(path, _why(found, error)) from error
    if not isinstance(module, HandlerModule):
        raise _unusable(path, "it has no MODULE; end it with MODULE = HandlerModule(pool=…, handlers=(…))")
    return module


def _module_of(name: str) -> str:
    """Find where an entry point leads; what is the name of none is that of a module."""
    if name in PLATFORM.values():
        return name  # without a look at every package that is installed
    found = {point.module: point for point in entry_points(group=ENTRY_POINTS, name=name)}
    if len(found) > 1:
        packages = ", ".join(sorted(f"{point.dist.name if point.dist else '?'}" for point in found.values()))
        raise _unusable(name, f"several packages offer it ({packages}): name the module itself")
    return next(iter(found), name)


def installed() -> list[str]:
    """Name the queues that come with edworkers, and after them those that other packages offer by entry points."""
    return list(dict.fromkeys([*PLATFORM, *sorted(point.name for point in entry_points(group=ENTRY_POINTS))]))


def _unusable(path: str, why: str) -> SettingsError:
    return SettingsError("the handlers can't be used:", [f"handlers: {path}: {why}"])


def _why(path: str, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and f"{path}.".startswith(f"{error.name}."):
        return "there is no such module; check its spelling, and PYTHONPATH for where it lies"
    return f"it can't be imported: {type(error).__name__}: {error}"


def pool_for_queue(queue: str) -> PoolSpec:
    """Give the settings of a queue that comes with edworkers, or that an installed package offers.

    Raises UnknownQueueError, which names those there are, and as `find_module` does.
    """
    if queue in PLATFORM:
        return find_module(PLATFORM[queue]).pool
    known = installed()
    if queue not in known:
        there = ", ".join(known)
        raise UnknownQueueError(f"no queue {queue!r} comes with edworkers (there are: {there}); give its manifest")
    return _offered(queue)


def _offered(queue: str) -> PoolSpec:
    """Give the settings of a queue that a package offers by an entry point of its name."""
    spec = find_module(queue).pool
    if spec.queue != queue:
        raise _unusable(queue, f"the entry point has the name of a queue, and its pool is for {spec.queue!r}")
    return spec


def concurrency_variable(queue: str) -> str:
    """Name the variable that sets a queue's slots: AI_WORKER_CONCURRENCY for `ai`."""
    return f"{queue.upper().replace('-', '_')}_WORKER_CONCURRENCY"


def override(module: HandlerModule, spec: PoolSpec, env: Mapping[str, str]) -> PoolSpec:
    """Apply what the environment says of a pool: its slots, and what its handlers read besides.

    Raises SettingsError with every fault.
    """
    faults: list[str] = []
    concurrency = whole_number(env, concurrency_variable(spec.queue), faults, maximum=_MOST_SLOTS)
    if module.overrides is not None:
        try:
            spec = module.overrides(spec, env)
        except SettingsError as error:
            faults += error.faults
    if faults:
        raise SettingsError(f"the settings of the queue {spec.queue!r} can't be used:", faults)
    return spec if concurrency is None else spec.model_copy(update={"concurrency": concurrency})


class _Untitled(GenerateJsonSchema):
    """Writes no title for a field, which would only be its name in other letters."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - as pydantic declares it
        return False


def schema(module: HandlerModule) -> dict[str, Any]:
    """Describe the jobs of a queue as JSON Schema: the envelope, with the handlers' own data inside `data`."""
    handlers = module.handlers
    models, definitions = models_json_schema(
        [(handler.data, "validation") for handler in handlers], schema_generator=_Untitled
    )
    document: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Envelope.model_json_schema(schema_generator=_Untitled),
        "title": f"A job of the queue {module.pool.queue}",
        "description": "An object without `data` is taken as the data itself.",
        "required": ["data"],
        **definitions,
    }
    if len(handlers) == 1:
        document["properties"]["data"] = models[handlers[0].data, "validation"]
    else:
        document["anyOf"] = [_case(handler, models[handler.data, "validation"]) for handler in handlers]
    return document


def _case(handler: Handler[Any], data: dict[str, Any]) -> dict[str, Any]:
    if handler.type is None:
        return {"properties": {"data": data}}
    return {"properties": {"type": {"const": handler.type}, "data": data}, "required": ["type"]}
