"""The isolated one of `handlers_for_isolation`, as the only one; it is the pool that asks for a process of its own."""

from dataclasses import replace

import handlers_for_isolation  # type: ignore[import-not-found]  # on the PYTHONPATH of the runners

from edworkers.ports import HandlerModule

MODULE = HandlerModule(
    pool=handlers_for_isolation.MODULE.pool,
    handlers=(replace(handlers_for_isolation.MODULE.handlers[0], isolation="task"),),
)
