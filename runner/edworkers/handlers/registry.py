"""Which handlers there are, found by name and imported only when asked for."""

import importlib
from collections.abc import Mapping
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
}
"""Queue to module, for the kinds of work that come with edworkers."""

_MOST_SLOTS = 10_000


def find_module(path: str) -> HandlerModule:
    """Import a module of handlers by its dotted path.

    Raises SettingsError when it can't be imported or offers no `MODULE`.
    """
    try:
        module = getattr(importlib.import_module(path), "MODULE", None)
    except Exception as error:
        raise _unusable(path, _why(path, error)) from error
    if not isinstance(module, HandlerModule):
        raise _unusable(path, "it has no MODULE; end it with MODULE = HandlerModule(pool=…, handlers=(…))")
    return module


def _unusable(path: str, why: str) -> SettingsError:
    return SettingsError("the handlers can't be used:", [f"handlers: {path}: {why}"])


def _why(path: str, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and f"{path}.".startswith(f"{error.name}."):
        return "there is no such module; check its spelling, and PYTHONPATH for where it lies"
    return f"it can't be imported: {type(error).__name__}: {error}"


def pool_for_queue(queue: str) -> PoolSpec:
    """Give the settings of a queue that comes with edworkers.

    Raises UnknownQueueError, which names those there are.
    """
    path = PLATFORM.get(queue)
    if path is None:
        known = ", ".join(PLATFORM)
        raise UnknownQueueError(f"no queue {queue!r} comes with edworkers (there are: {known}); give its manifest")
    return find_module(path).pool


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
