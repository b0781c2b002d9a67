"""The pure rules of the queue `scheduled`."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.attempts import AnAttempt

from edworkers.core.errors import (
    DatabaseUnavailableError,
    NotStoredError,
    StorageRefusedError,
    StorageUnavailableError,
)
from edworkers.core.outcome import Failed
from edworkers.handlers.scheduled.backup_names import DUMP, MANIFEST, Backup, find_backups, stem_of, to_prune
from edworkers.handlers.scheduled.failures import failure_of
from edworkers.handlers.scheduled.report_cells import csv_rows, safe_cell, text_of

NOW = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)


def backup(days: int, *endings: str) -> Backup:
    return Backup(f"b{days}", NOW - timedelta(days=days), frozenset(endings or (DUMP, MANIFEST)))


@given(st.text(min_size=1, max_size=40), moments, st.text(min_size=1, max_size=40))
def test_a_backup_is_found_by_its_name_and_its_time(database: str, moment: datetime, job: str) -> None:
    stem = stem_of(database, moment, job)
    assert find_backups([f"{stem}.dump", f"{stem}.json"], database) == [
        Backup(stem, moment, frozenset({DUMP, MANIFEST}))
    ]


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_a_backup_of_one_database_is_never_taken_for_anothers(one: str, other: str) -> None:
    found = find_backups([f"{stem_of(one, NOW, 'j')}.dump"], other)
    assert bool(found) == (one == other)


@pytest.mark.parametrize(
    "name", ["x", "edworkers-backup-app-20261399T000000Z-00000000.dump", "edworkers-backup-app-x.dump"]
)
def test_what_is_not_called_like_a_backup_is_none(name: str) -> None:
    assert find_backups([name], "app") == []


def test_the_last_good_ones_and_the_young_ones_stay() -> None:
    old = [backup(days) for days in (40, 50, 60)]
    assert to_prune([backup(1), backup(29), *old], NOW, keep_last=3, keep_days=30) == old[1:]


def test_one_that_was_never_found_good_takes_no_good_ones_place() -> None:
    half, good = backup(35, DUMP), backup(40)
    assert to_prune([half, good], NOW, keep_last=1, keep_days=30) == [half]


@given(st.lists(st.integers(0, 400), max_size=30, unique=True), st.integers(1, 10), st.integers(0, 400))
def test_pruning_keeps_every_good_backup_that_is_promised(days: list[int], last: int, keep_days: int) -> None:
    backups = [backup(number) for number in days]
    gone = {each.stem for each in to_prune(backups, NOW, keep_last=last, keep_days=keep_days)}
    kept = [each for each in backups if each.stem not in gone]
    assert len(kept) >= min(last, len(backups))
    assert all(number > keep_days for number in days if f"b{number}" in gone)


@given(st.lists(st.lists(st.text(), min_size=1, max_size=4), max_size=5))
def test_any_text_comes_out_of_a_csv_file_as_it_went_in_but_for_formulas(rows: list[list[str]]) -> None:
    texts = [[text.encode(errors="replace").decode() for text in row] for row in rows]
    read = list(csv.reader(io.StringIO(csv_rows(texts).decode(), newline=""), strict=True))
    assert read == [[safe_cell(text) for text in row] for row in texts]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in read for cell in row)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (-5, "-5"),
        (Decimal("-1E+3"), "-1000"),
        ("-5", "'-5"),
        (date(2026, 1, 31), "2026-01-31"),
        (b"\x00\xff", "00ff"),
        ({"a": [1]}, '{"a":[1]}'),
        ("\tx", "'\tx"),
    ],
)
def test_each_kind_of_value_has_its_text(value: Any, text: str) -> None:
    assert safe_cell(value) == text
    assert text_of(value) == text.removeprefix("'")


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (NotStoredError("gone"), False),
        (StorageRefusedError("no"), False),
        (StorageUnavailableError("away"), True),
        (psycopg.errors.DeadlockDetected("deadlock"), True),
        (psycopg.errors.UndefinedTable("no table"), False),
        (psycopg.errors.DivisionByZero("division by zero"), False),
    ],
)
def test_what_passes_is_tried_again_and_what_stays_is_buried(error: Exception, retryable: bool) -> None:  # noqa: FBT001
    failed = failure_of(error, AnAttempt())
    assert failed is not None
    assert failed.retryable is retryable


@pytest.mark.parametrize(
    "error",
    [
        StorageUnavailableError("x"),
        DatabaseUnavailableError("x"),
        psycopg.errors.AdminShutdown("x"),
        psycopg.Error("x"),
    ],
)
def test_a_service_that_is_away_is_waited_for(error: Exception) -> None:
    failed = failure_of(error, AnAttempt(attempt=2))
    assert failed is not None
    assert failed.after_seconds is not None
    assert failed.after_seconds > 1500
    assert failure_of(psycopg.errors.DeadlockDetected("x"), AnAttempt(attempt=2)) == Failed("database", "x")


def test_an_error_of_nobodys_is_left_to_the_runner() -> None:
    rows: Sequence[int] = ()
    assert failure_of(KeyError(rows), AnAttempt()) is None
