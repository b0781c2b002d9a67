"""Whether there is a ledger, by the environment."""

from collections.abc import Mapping

from edworkers.adapters.postgres.connection import database_url, find_faults, is_installed

SWITCH = "EDWORKERS_LEDGER"
_WORDS = {"": True, "on": True, "off": False}


def ledger_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the settings of the ledger, a line each."""
    word = env.get(SWITCH, "").strip().lower()
    if word not in _WORDS:
        return [f"{SWITCH}: {env[SWITCH][:40]!r} is neither on nor off"]
    if word == "on" and database_url(env) is None:
        return [f"{SWITCH}: is on, and there is no database for it: set NEON_DATABASE_URL, or leave it empty"]
    if not _WORDS[word] or (word == "" and not is_installed()):
        return []
    return find_faults(env)


def why_no_ledger(env: Mapping[str, str]) -> str | None:
    """Give the reason why nothing is recorded; None where a ledger is to be kept."""
    if database_url(env) is None:
        return "neither NEON_DATABASE_URL nor DATABASE_URL is set"
    if not _WORDS.get(env.get(SWITCH, "").strip().lower(), True):
        return f"{SWITCH} is off"
    return "the Python package psycopg is not installed: pip install 'edworkers[database]'" if is_missing(env) else None


def is_missing(env: Mapping[str, str]) -> bool:
    """Whether there would be a ledger if psycopg were installed."""
    is_on = _WORDS.get(env.get(SWITCH, "").strip().lower(), True)
    return is_on and database_url(env) is not None and not is_installed()
