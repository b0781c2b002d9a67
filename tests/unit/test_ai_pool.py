"""The pool of the queue `ai`, and what the environment changes of it."""

from pathlib import Path

import pytest
import yaml

from edworkers.core.errors import SettingsError
from edworkers.core.settings import PoolSpec, Window
from edworkers.handlers import registry
from edworkers.handlers.ai.generate import MODULE, find_faults, override_limits

MANIFEST = Path(__file__).parents[2] / "manifests" / "examples" / "ai.yaml"
KEY = {"GEMINI_API_KEY": "AIza-something"}


def test_the_example_manifest_is_the_pool() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())
    assert (manifest["kind"], manifest["metadata"]["name"]) == ("WorkerPool", "ai")
    assert PoolSpec.model_validate(manifest["spec"]) == MODULE.pool


def test_the_limits_and_the_slots_are_those_of_the_platform() -> None:
    pool = MODULE.pool
    assert (pool.concurrency, pool.job.timeout_seconds, pool.job.max_attempts) == (3, 30, 2)
    assert [(window.window, window.limit, window.time_zone) for window in pool.limits] == [
        ("minute", 60, "Etc/UTC"),
        ("day", 1333, "America/Los_Angeles"),
        ("month", 45000, "America/Los_Angeles"),
    ]


def test_the_environment_replaces_limits_and_slots() -> None:
    env = {
        "GEMINI_DAILY_LIMIT": "100",
        "GEMINI_MONTHLY_LIMIT": " 2000 ",
        "GEMINI_MINUTE_LIMIT": "7",
        "AI_WORKER_CONCURRENCY": "12",
        "WEBHOOK_WORKER_CONCURRENCY": "99",
    }
    pool = registry.override(MODULE, MODULE.pool, env)
    assert [window.limit for window in pool.limits] == [7, 100, 2000]
    assert pool.limits[1].time_zone == "America/Los_Angeles"
    assert pool.concurrency == 12


@pytest.mark.parametrize("env", [{}, {"GEMINI_DAILY_LIMIT": "", "AI_WORKER_CONCURRENCY": " "}])
def test_what_is_unset_or_empty_changes_nothing(env: dict[str, str]) -> None:
    assert registry.override(MODULE, MODULE.pool, env) == MODULE.pool


def test_a_limit_of_a_window_that_the_pool_lacks_is_added() -> None:
    bare = MODULE.pool.model_copy(update={"limits": (Window(name="hourly-ish", limit=9, window="minute"),)})
    pool = registry.override(MODULE, bare, {"GEMINI_DAILY_LIMIT": "5", "GEMINI_MINUTE_LIMIT": "8"})
    assert pool.limits == (
        Window(name="hourly-ish", limit=8, window="minute"),
        Window(name="day", limit=5, window="day", time_zone="America/Los_Angeles"),
    )


def test_all_bad_numbers_are_named_at_once() -> None:
    env = {
        "GEMINI_DAILY_LIMIT": "1,333",
        "GEMINI_MONTHLY_LIMIT": "0",
        "GEMINI_MINUTE_LIMIT": "-1",
        "AI_WORKER_CONCURRENCY": "10001",
    }
    with pytest.raises(SettingsError) as refused:
        registry.override(MODULE, MODULE.pool, env)
    assert sorted(fault.split(":")[0] for fault in refused.value.faults) == sorted(env)


@pytest.mark.parametrize("bad", ["three", "1.5", "²", "9" * 4400, "0x3", "+3", "1e3"])
def test_a_number_that_is_none_is_a_fault(bad: str) -> None:
    with pytest.raises(SettingsError, match="AI_WORKER_CONCURRENCY: must be a whole number from 1 to 10000"):
        registry.override(MODULE, MODULE.pool, {"AI_WORKER_CONCURRENCY": bad})


def test_a_key_is_all_that_is_needed() -> None:
    assert find_faults(KEY) == []


def test_a_missing_key_says_where_to_get_one() -> None:
    [fault] = find_faults({"GEMINI_API_KEY": " "})
    assert fault.startswith("GEMINI_API_KEY: not set; ")
    assert "https://aistudio.google.com/apikey" in fault


def test_every_fault_of_the_environment_is_named_and_the_key_is_not_repeated() -> None:
    env = {"GEMINI_API_KEY": "my kéy", "GEMINI_MODEL": "flash/../x", "GEMINI_BASE_URL": "gemini.example"}
    found = find_faults(env)
    assert [fault.split(":")[0] for fault in found] == ["GEMINI_API_KEY", "GEMINI_MODEL", "GEMINI_BASE_URL"]
    assert "kéy" not in "".join(found)


def test_the_environment_leaves_limits_that_count_tokens_as_they_are() -> None:
    tokens = Window(name="tokens", limit=250_000, window="minute", counts="tokens")
    pool = MODULE.pool.model_copy(update={"limits": (tokens, *MODULE.pool.limits)})
    changed = override_limits(pool, {"GEMINI_MINUTE_LIMIT": "7"})
    assert [(window.counts, window.limit) for window in changed.limits][:2] == [("tokens", 250_000), ("jobs", 7)]
