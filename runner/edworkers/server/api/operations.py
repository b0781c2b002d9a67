"""`/v1/queues/{queue}/operations`: one verb for many jobs, with some seconds to take it back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from edworkers.core.job import JobId
from edworkers.core.lifecycle import State
from edworkers.core.settings import faults_of
from edworkers.ports.books import BulkOperation
from edworkers.ports.browse import Wanted as WantedJobs
from edworkers.server.access.identity import Scope
from edworkers.server.api.enqueue import check_type
from edworkers.server.api.models import Answer, Object, Time
from edworkers.server.api.served import (
    Limit,
    OperatedQueue,
    Operator,
    ReadQueue,
    ThePlatform,
    TheSight,
    needs,
    problems,
)
from edworkers.server.bulk import BulkDesk
from edworkers.server.choice import MOST_IDS, BulkRefusedError, Choice
from edworkers.server.platform import ServedQueue
from edworkers.server.problems import Problem
from edworkers.server.sight import Sight
from edworkers.server.strict_json import read_object

router = APIRouter(prefix="/queues/{queue}/operations", tags=["Operations"])
_KEPT = 200
_ALL = Sight(None)
_Text = Annotated[str, Field(min_length=1, max_length=200)]
_Moment = Annotated[int, Field(ge=0, lt=10**15)]
OperationId = Annotated[
    str, Path(description="The operation's id.", pattern=r"^[!-~]{1,128}$", examples=["019a1b2c3d4e5f"])
]


class _Asked(BaseModel):
    """Something that is asked for; unknown fields are refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True
    )


class Wanted(_Asked):
    """Which jobs are meant: all that is given has to hold. `{}` means all in the state."""

    text: _Text | None = None
    """Is in its id, type, group, payload or error, in whatever case."""
    type: _Text | None = None
    group: _Text | None = None
    error_kind: _Text | None = None
    fingerprint: _Text | None = None
    """The cause of its failure, as `failures` lists it."""
    before: _Moment | None = None
    """Unix ms: it ended, was put off or began not after this."""
    after: _Moment | None = None
    """Unix ms: not before this."""


class NewOperation(_Asked):
    """What is to be done to which jobs: those of `ids`, or those that are `wanted`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"action": "replay", "state": "dead", "wanted": {"errorKind": "timeout"}},
                {"action": "cancel", "state": "pending", "ids": ["answer-1", "answer-2"]},
            ]
        }
    )

    action: Literal["replay", "drop", "cancel"]
    """`replay` and `drop` are for dead jobs, `cancel` for those that wait, are delayed or run."""
    state: Annotated[State, Field(strict=False)]
    """In which state the jobs are."""
    ids: Annotated[list[JobId], Field(min_length=1, max_length=MOST_IDS)] | None = None
    wanted: Wanted | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "NewOperation":
        if (self.ids is None) == (self.wanted is None):
            raise ValueError("give either ids or wanted")
        return self

    @property
    def choice(self) -> Choice:
        """Which jobs are meant."""
        if self.ids is not None:
            return Choice(self.state, ids=tuple(dict.fromkeys(self.ids)))
        return Choice(self.state, wanted=WantedJobs(**self.wanted.model_dump()) if self.wanted else WantedJobs())


class Operation(Answer):
    """How far an operation is."""

    id: str
    queue: str
    action: str
    state: str
    wanted: Object
    """The fields that were given, or `ids`."""
    who: str
    created_at: Time
    starts_at: Time
    """Until then it can be undone, and nothing is changed."""
    status: Literal["waiting", "running", "done", "undone", "stopped", "failed"]
    total: int
    """How many jobs there were to look at when it was made."""
    looked_at: int
    changed: int
    refused: int
    """Jobs that had left the state by then, or whose unique key another has."""
    fault: str | None = None
    """Why it failed."""


class Operations(Answer):
    """Operations, the latest first."""

    operations: list[Operation]


def _described(model: type[BaseModel]) -> Object:
    """Write a model's schema in one piece: OpenAPI knows no definitions within one."""
    schema = model.model_json_schema()
    resolved: Object = _resolve(schema, schema.pop("$defs", {}))
    return resolved


def _resolve(value: Any, parts: Mapping[str, Any]) -> Any:
    """Put parts of a schema in the place of references to them."""
    if isinstance(value, list):
        return [_resolve(part, parts) for part in cast("Sequence[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    if "$ref" not in fields:
        return {key: _resolve(part, parts) for key, part in fields.items()}
    named = parts[str(fields["$ref"]).rpartition("/")[2]]
    return _resolve({**named, **{key: part for key, part in fields.items() if key != "$ref"}}, parts)


_BODY = {"required": True, "content": {"application/json": {"schema": _described(NewOperation)}}}


@router.post(
    "",
    status_code=202,
    summary="Replay, delete or cancel many jobs",
    response_model=Operation,
    responses={
        202: {
            "description": "It starts when its undo window is over.",
            "headers": {"Location": {"description": "Where to ask for it.", "schema": {"type": "string"}}},
        },
        **problems(body=True),
    },
    openapi_extra=needs(Scope.OPERATE, requestBody=_BODY),
)
async def begin(request: Request, served: OperatedQueue, identity: Operator, platform: ThePlatform) -> Response:
    """Begin an operation on many jobs of a queue. For ten seconds it can be taken back by DELETE."""
    asked = await _read(request)
    try:
        begun = await BulkDesk(platform).create(served.spec.queue, asked.action, asked.choice, identity.name)
    except BulkRefusedError as error:
        raise Problem(422, "invalid-request", str(error), faults=[str(error)]) from error
    location = f"/v1/queues/{served.spec.queue}/operations/{begun.id}"
    return JSONResponse(_as_operation(begun).model_dump(mode="json", by_alias=True), 202, {"Location": location})


async def _read(request: Request) -> NewOperation:
    check_type(request, "application/json")
    document = read_object(await request.body())
    try:
        return NewOperation.model_validate(document)
    except ValidationError as error:
        faults = faults_of([(tuple(fault["loc"]), fault["msg"]) for fault in error.errors(include_url=False)])
        raise Problem(422, "invalid-request", "; ".join(faults), faults=faults) from error


@router.get(
    "",
    summary="List operations",
    responses=problems(),
    openapi_extra=needs(Scope.READ),
)
async def list_operations(served: ReadQueue, platform: ThePlatform, sight: TheSight, limit: Limit = 50) -> Operations:
    """List a queue's operations of the last week, the latest first."""
    found = await platform.books.operations(_KEPT)
    own = [operation for operation in found if operation.queue == served.spec.queue]
    return Operations(operations=[_as_operation(operation, sight) for operation in own[:limit]])


@router.get(
    "/{operation_id}",
    summary="Get an operation",
    responses=problems(),
    openapi_extra=needs(Scope.READ),
)
async def get_operation(
    served: ReadQueue, platform: ThePlatform, sight: TheSight, operation_id: OperationId
) -> Operation:
    """Tell how far an operation is."""
    return _as_operation(await _find(served, BulkDesk(platform), operation_id), sight)


@router.delete(
    "/{operation_id}",
    summary="Undo an operation, or stop it",
    responses=problems(409),
    openapi_extra=needs(Scope.OPERATE),
)
async def undo(
    served: OperatedQueue, identity: Operator, platform: ThePlatform, operation_id: OperationId
) -> Operation:
    """Take an operation back before it starts; one that runs is stopped, and what it has changed stays so."""
    desk = BulkDesk(platform)
    await _find(served, desk, operation_id)
    try:
        return _as_operation(await desk.undo(operation_id, identity.name))
    except BulkRefusedError as error:
        raise Problem(409, "ended", str(error)) from error


async def _find(served: ServedQueue, desk: BulkDesk, operation_id: str) -> BulkOperation:
    operation = await desk.platform.books.operation(operation_id)
    if operation is None or operation.queue != served.spec.queue:
        detail = f"{served.spec.queue} has no operation {operation_id}; they are kept for a week"
        raise Problem(404, "not-found", detail)
    return operation


def _as_operation(operation: BulkOperation, sight: Sight = _ALL) -> Operation:
    given = {_OUTSIDE.get(name, name): value for name, value in operation.wanted.items()}
    return Operation.model_validate(
        {**asdict(operation), "wanted": sight.value(given), "fault": sight.text(operation.fault)}
    )


_OUTSIDE = {"error_kind": "errorKind"}
