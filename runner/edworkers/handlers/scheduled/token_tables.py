"""Which tables hold tokens that expire: by custom, and by the setting TOKEN_TABLES. A job may only choose among them.

Whoever may enqueue a job could else delete any row that has a time in it.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError

from edworkers.core.settings import faults_of
from edworkers.handlers.data import JobData, must_match
from edworkers.handlers.scheduled.work import TaskError, refused

VARIABLE = "TOKEN_TABLES"

_NAME = r'[^\x00-\x1f\x7f."]{1,63}'
_check_table = must_match(rf"({_NAME}\.)?{_NAME}", "must be a table's name, or schema.table, without quotes")
_check_column = must_match(_NAME, "must be a column's name, without quotes")

Column = Annotated[str, AfterValidator(_check_column)]


def is_protected(schema: str) -> bool:
    """Whether a schema holds nothing that a cleanup may touch: edworkers' own, and those of PostgreSQL itself."""
    return schema.lower() in {"edworkers", "information_schema"} or schema.lower().startswith("pg_")


def _check_allowed(table: str) -> str:
    schema, dot, name = table.rpartition(".")
    if (dot and is_protected(schema)) or (not dot and name.lower().startswith("pg_")):
        raise ValueError("must be no table of edworkers or of PostgreSQL itself")
    return table


Name = Annotated[str, AfterValidator(_check_table), AfterValidator(_check_allowed)]


class TokenTable(JobData):
    """A table, and the column that says when a row of it expires."""

    table: Name
    """Its name, or schema.table; without a schema it is looked for as the database does."""
    expires_column: Column = "expires_at"
    """A column of type timestamptz, or timestamp, which is taken as UTC."""
    id_column: Column | None = None
    """Its key. Without it rows are told apart by where they lie, which partitioned tables don't allow."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The schema, where there is one, and the table."""
        return tuple(self.table.split("."))


class ChosenTable(JobData):
    """One of the tables that may be cleaned, as a job names it."""

    table: Name
    """Its name as in TOKEN_TABLES, or one of refresh_tokens, password_reset_tokens and sessions."""
    expires_column: Column | None = None
    """May be given if it is the one that is allowed for this table."""
    id_column: Column | None = None
    """May be given if it is the one that is allowed for this table."""

    def is_of(self, allowed: TokenTable) -> bool:
        """Whether this is what is allowed, as far as it says."""
        columns = (self.expires_column, allowed.expires_column), (self.id_column, allowed.id_column)
        return all(mine in {None, theirs} for mine, theirs in columns)


def _all_different(tables: list[Any]) -> list[Any]:
    if len({table.table for table in tables}) < len(tables):
        raise ValueError("the same table is there twice")
    return tables


def _as_object(value: object) -> object:
    return {"table": value} if isinstance(value, str) else value


TokenTables = Annotated[list[TokenTable], Field(min_length=1, max_length=100), AfterValidator(_all_different)]
ChosenTables = Annotated[
    list[Annotated[ChosenTable, BeforeValidator(_as_object, json_schema_input_type=str | ChosenTable)]],
    Field(min_length=1, max_length=100),
    AfterValidator(_all_different),
]

USUAL = tuple(
    TokenTable.model_validate({"table": name}) for name in ("refresh_tokens", "password_reset_tokens", "sessions")
)
"""Those that are looked for where none are named; what isn't there is left out."""


def choose(chosen: list[ChosenTable], env: Mapping[str, str]) -> list[TokenTable]:
    """Give what is known of the tables that a job names. Raises TaskError for one that may not be cleaned."""
    allowed = {table.table: table for table in (*USUAL, *(read_setting(env) or ()))}
    for each in chosen:
        if each.table not in allowed:
            raise _not_allowed(f"the table {each.table} may not be cleaned", each, allowed)
        if not each.is_of(allowed[each.table]):
            raise _not_allowed(f"of the table {each.table} other columns are allowed", each, allowed)
    return [allowed[each.table] for each in chosen]


def _not_allowed(what: str, each: ChosenTable, allowed: Mapping[str, TokenTable]) -> TaskError:
    there = ", ".join(f"{table.table} (by {table.expires_column})" for table in allowed.values())
    column = each.expires_column or "expires_at"
    how = f'put {{"table": "{each.table}", "expiresColumn": "{column}"}} into {VARIABLE} of the runner'
    return refused("table", f"{what}; allowed are {there}. To allow it, {how}, and replay the job")


_adapter = TypeAdapter[list[TokenTable]](TokenTables)


def read_setting(env: Mapping[str, str]) -> list[TokenTable] | None:
    """Read TOKEN_TABLES; None where it isn't set. Raises ValueError where it is wrong."""
    text = env.get(VARIABLE, "").strip()
    return _adapter.validate_json(text) if text else None


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with TOKEN_TABLES, a line each."""
    try:
        read_setting(env)
    except ValidationError as error:
        found = [(fault["loc"], fault["msg"]) for fault in error.errors(include_url=False)]
        return [f"{VARIABLE}: {fault}" for fault in faults_of(found)]
    return []
