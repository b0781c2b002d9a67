"""A module of handlers whose work a test gives."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel, ConfigDict

from edworkers.core.settings import PoolSpec
from edworkers.ports import Handle, Handler, HandlerModule


class Note(BaseModel):
    """Data of the jobs here."""

    model_config = ConfigDict(extra="forbid")

    text: str = ""


def a_pool(**fields: Any) -> PoolSpec:
    return PoolSpec.model_validate({"queue": "work", "handlers": "none", "concurrency": 4, **fields})


def a_module(work: Handle, *, opened: list[str] | None = None, pool: PoolSpec | None = None) -> HandlerModule:
    """Make a module with one handler; `opened` hears when it is opened and closed."""
    heard = [] if opened is None else opened

    @asynccontextmanager
    async def open_it(env: Mapping[str, str]) -> AsyncGenerator[Handle]:
        heard.append(f"opened {env.get('NAME', '')}".strip())
        yield work
        heard.append("closed")

    return HandlerModule(pool=pool or a_pool(), handlers=(Handler(data=Note, open=open_it),))
