"""Which tables hold tokens that expire: named in a job, by the setting TOKEN_TABLES, or by custom."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from edworkers.core.settings import faults_of
from edworkers.handlers.data import JobData, must_match

VARIABLE = "TOKEN_TABLES"

_NAME = r'[^\x00-\x1f\x7f."]{1,63}'
_check_table = must_match(rf"({_NAME}\.)?{_NAME}", "must be a table's name, or schema.table, without quotes")
_check_column = must_match(_NAME, "must be a column's name, without quotes")

Column = Annotated[str, AfterValidator(_check_column)]


class TokenTable(JobData):
    """A table, and the column that says when a row of it expires."""

    table: Annotated[str, AfterValidator(_check_table)]
    """Its name, or schema.table; without a schema it is looked for as the database does."""
    expires_column: Column = "expires_at"
    """A column of type timestamptz, or timestamp, which is taken as UTC."""
    id_column: Column | None = None
    """Its key. Without it rows are told apart by where they lie, which partitioned tables don't allow."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The schema, where there is one, and the table."""
        return tuple(self.table.split("."))


def _all_different(tables: list[TokenTable]) -> list[TokenTable]:
    if len({table.table for table in tables}) < len(tables):
        raise ValueError("the same table is there twice")
    return tables


TokenTables = Annotated[list[TokenTable], Field(min_length=1, max_length=100), AfterValidator(_all_different)]

USUAL = tuple(
    TokenTable.model_validate({"table": name}) for name in ("refresh_tokens", "password_reset_tokens", "sessions")
)
"""Those that are looked for where none are named; what isn't there is left out."""

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
