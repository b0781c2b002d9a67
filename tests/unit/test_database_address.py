"""Where the database is: faults in its address are told at the start, and none shows the password."""

import pytest

from edworkers.adapters.postgres.connection import database_url, find_faults, where
from edworkers.adapters.postgres.settings import ledger_faults, why_no_ledger

URL = "postgresql://app:hunter2@db.example:5432/app"


def test_the_name_that_the_platform_uses_comes_first() -> None:
    assert database_url({"NEON_DATABASE_URL": URL, "DATABASE_URL": "postgresql://other/x"}) == URL
    assert database_url({"NEON_DATABASE_URL": " ", "DATABASE_URL": URL}) == URL
    assert database_url({}) is None


@pytest.mark.parametrize(
    "url",
    [
        *(URL, "postgres://app@db.example/app", "postgresql://db.example/app?sslmode=require&channel_binding=require"),
        *("postgresql://a%40b:p%40ss@[::1]:6543/app", "postgresql://one:1,two:2/app"),
    ],
)
def test_an_address_that_can_be_used_has_no_fault(url: str) -> None:
    assert find_faults({"DATABASE_URL": url}) == []


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("mysql://app:hunter2@db.example/app", "must begin with postgresql://"),
        ("db.example", "must begin with postgresql://"),
        ("postgresql://app:hunter2@[db.example/app", "is not an address"),
        ("postgresql://app:hunter2%zz@db.example/app", "is not an address"),
        ("postgresql://app:hunter2@db.example/app?nonsense=1", "is not an address"),
        ("postgresql://app:hunter2@db.example:port/app", "its port must be a number"),
        ("postgresql://app:hunter2@db.example:70000/app", "its port must be a number"),
        ("postgresql://app:hunter2@db.example", "names no database"),
    ],
)
def test_a_fault_says_what_to_do_and_not_the_password(url: str, fault: str) -> None:
    [told] = find_faults({"NEON_DATABASE_URL": url})
    assert told.startswith("NEON_DATABASE_URL: ")
    assert fault in told
    assert "hunter2" not in told


def test_a_database_is_named_without_its_password() -> None:
    assert where(URL) == "the database app at db.example:5432"


@pytest.mark.parametrize(
    ("env", "fault"),
    [
        ({"EDWORKERS_LEDGER": "maybe"}, "neither on nor off"),
        ({"EDWORKERS_LEDGER": "on"}, "there is no database for it"),
        ({"DATABASE_URL": "x"}, "must begin with postgresql://"),
    ],
)
def test_settings_of_the_ledger_that_cannot_be_used_are_told(env: dict[str, str], fault: str) -> None:
    [told] = ledger_faults(env)
    assert fault in told


@pytest.mark.parametrize(
    ("env", "reason"),
    [
        ({}, "neither NEON_DATABASE_URL nor DATABASE_URL is set"),
        ({"DATABASE_URL": URL, "EDWORKERS_LEDGER": "off"}, "EDWORKERS_LEDGER is off"),
        ({"DATABASE_URL": URL}, None),
        ({"DATABASE_URL": URL, "EDWORKERS_LEDGER": "on"}, None),
    ],
)
def test_there_is_a_ledger_where_there_is_a_database(env: dict[str, str], reason: str | None) -> None:
    assert ledger_faults(env) == []
    assert why_no_ledger(env) == reason


def test_without_psycopg_there_is_no_ledger_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("connection", "settings"):
        monkeypatch.setattr(f"edworkers.adapters.postgres.{module}.is_installed", lambda: False)
    assert ledger_faults({"DATABASE_URL": URL}) == []
    assert "edworkers[database]" in (why_no_ledger({"DATABASE_URL": URL}) or "")
    [told] = ledger_faults({"DATABASE_URL": URL, "EDWORKERS_LEDGER": "on"})
    assert "pip install 'edworkers[database]'" in told
