"""Who asks, and what they may do; `require` is what a route asks of them."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol, cast

from starlette.requests import HTTPConnection

from edworkers.server.problems import Problem


class Scope(StrEnum):
    """What somebody may do."""

    ENQUEUE = "enqueue"
    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"


class Role(StrEnum):
    """What a person is to the system; each may do what those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


SCOPES_OF: dict[Role, frozenset[Scope]] = {
    Role.VIEWER: frozenset({Scope.READ}),
    Role.OPERATOR: frozenset({Scope.READ, Scope.ENQUEUE, Scope.OPERATE}),
    Role.ADMIN: frozenset(Scope),
}

IN_WORDS = {
    Scope.ENQUEUE: "enqueue jobs and hear what becomes of them",
    Scope.READ: "look at queues and jobs",
    Scope.OPERATE: "cancel, replay and delete jobs, pause and resume queues",
    Scope.ADMIN: "all of it, and read who did what",
}

Kind = Literal["key", "person", "local"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who asks: a program by its key, or a person."""

    name: str
    scopes: frozenset[Scope]
    kind: Kind = "person"
    queues: frozenset[str] | None = None
    """The only queues that they may see; None for all of them."""

    def may(self, scope: Scope | str, queue: str | None = None) -> bool:
        """Whether they may do this, and do it to this queue."""
        has_scope = Scope(scope) in self.scopes or Scope.ADMIN in self.scopes
        return has_scope and (queue is None or self.sees(queue))

    def sees(self, queue: str) -> bool:
        """Whether a queue is one of theirs."""
        return self.queues is None or queue in self.queues

    @property
    def role(self) -> Role:
        """The highest role whose scopes they all have; a program that can only enqueue counts as a viewer."""
        held = [role for role, scopes in SCOPES_OF.items() if all(self.may(scope) for scope in scopes)]
        return held[-1] if held else Role.VIEWER

    @property
    def is_read_only(self) -> bool:
        """Whether they may change nothing that is there."""
        return not self.may(Scope.OPERATE)


class Gate(Protocol):
    """Finds out who asks."""

    async def identify(self, connection: HTTPConnection) -> Identity:
        """Tell who asks. Raises Problem 401 where nobody says, 403 where the request comes from another site's page."""
        ...


def gate_of(connection: HTTPConnection) -> Gate:
    """Give what finds out who asks, as `app.create_app` has put it into each request's state."""
    return cast("Gate", connection.state.access)


def require(
    scope: Scope | Literal["enqueue", "read", "operate", "admin"], *others: Scope
) -> Callable[[HTTPConnection], Awaitable[Identity]]:
    """Make a dependency that gives who asks, if they may do this, or one of `others`, to the queue of the path.

    It raises Problem 401 and 403.
    """
    wanted = (Scope(scope), *others)

    async def dependency(connection: HTTPConnection) -> Identity:
        identity = await gate_of(connection).identify(connection)
        check(identity, wanted, connection.path_params.get("queue"))
        return identity

    return dependency


def check(identity: Identity, wanted: Collection[Scope], queue: str | None) -> None:
    """Refuse who may do none of these things, or not to this queue. Raises Problem 403."""
    if not any(identity.may(scope) for scope in wanted):
        first, *_ = wanted
        needed = " or ".join(f"`{scope}`" for scope in wanted)
        held = ", ".join(sorted(identity.scopes)) or "none"
        detail = f"this needs the scope {needed} ({IN_WORDS[first]}); {identity.name} has: {held}"
        raise Problem(403, "missing-scope", detail, requiredScopes=[str(scope) for scope in wanted])
    if queue is not None and not identity.sees(queue):
        theirs = ", ".join(sorted(identity.queues or ())) or "none"
        raise Problem(403, "other-queue", f"{identity.name} may not use the queue {queue!r}, only: {theirs}")
