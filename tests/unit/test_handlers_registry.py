"""Finding modules of handlers, and describing their jobs."""

import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edworkers.core.errors import SettingsError, UnknownQueueError
from edworkers.core.settings import PoolSpec
from edworkers.handlers import registry
from edworkers.handlers.data import JobData
from edworkers.handlers.environment import not_installed
from edworkers.ports import Handle, Handler, HandlerModule


class Report(JobData):
    month: str


class Backup(JobData):
    database: str


@asynccontextmanager
async def nothing(env: Mapping[str, str]) -> AsyncGenerator[Handle]:
    async def handle(data: Any, job: Any) -> None:
        return None

    yield handle


def module(*handlers: Handler[Any]) -> HandlerModule:
    return HandlerModule(pool=PoolSpec(queue="night-work", handlers="my.module"), handlers=handlers)


def why_not(path: str) -> str:
    with pytest.raises(SettingsError) as refused:
        registry.find_module(path)
    [fault] = refused.value.faults
    return fault


@pytest.mark.parametrize("queue", sorted(registry.PLATFORM))
def test_every_queue_of_the_platform_has_its_module(queue: str) -> None:
    found = registry.find_module(registry.PLATFORM[queue])
    assert found.pool.queue == queue
    assert found.pool.handlers == registry.PLATFORM[queue]
    assert registry.pool_for_queue(queue) is found.pool


def test_an_unknown_queue_names_those_there_are() -> None:
    with pytest.raises(UnknownQueueError, match=r"no queue 'a1' .*there are: ai, webhook"):
        registry.pool_for_queue("a1")


@pytest.mark.parametrize("path", ["edworkers.handlers.nowhere", "nowhere", "nowhere.at.all"])
def test_a_module_that_does_not_exist_is_said_not_to_exist(path: str) -> None:
    assert why_not(path) == (
        f"handlers: {path}: there is no such module; check its spelling, and PYTHONPATH for where it lies"
    )


def test_a_module_without_handlers_says_what_it_lacks() -> None:
    assert "it has no MODULE" in why_not("json")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import a_library_that_is_missing", "No module named 'a_library_that_is_missing'"),
        ("def broken(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("MODULE = 'not a module of handlers'", "it has no MODULE"),
    ],
)
def test_a_module_that_cannot_be_imported_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, reason: str
) -> None:
    (tmp_path / "handlers_of_a_user.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "handlers_of_a_user", raising=False)
    assert reason in why_not("handlers_of_a_user")
    sys.modules.pop("handlers_of_a_user", None)


@pytest.mark.parametrize("path", ["", ".relative", "a..b"])
def test_what_is_no_path_of_a_module_is_refused(path: str) -> None:
    assert why_not(path).startswith(f"handlers: {path}: ")


def test_any_queue_has_a_variable_for_its_slots() -> None:
    own = module(Handler(data=Report, open=nothing))
    assert registry.override(own, own.pool, {"NIGHT_WORK_WORKER_CONCURRENCY": "4"}).concurrency == 4


def test_a_schema_is_the_envelope_with_the_data_of_the_handler_in_it() -> None:
    schema = registry.schema(registry.find_module("edworkers.handlers.ai"))
    assert schema["required"] == ["data"]
    assert {"id", "runAt", "maxAttempts", "traceparent"} <= schema["properties"].keys()
    name = schema["properties"]["data"]["$ref"].removeprefix("#/$defs/")
    data = schema["$defs"][name]
    assert data["required"] == ["conversationId", "userId", "prompt"]
    assert data["properties"]["webhookUrl"]["description"]
    assert data["additionalProperties"] is False


def test_every_reference_in_a_schema_leads_somewhere() -> None:
    schema = registry.schema(registry.find_module("edworkers.handlers.webhook"))
    references = [text.removeprefix("#/$defs/") for text in _references(schema)]
    assert references
    assert set(references) <= schema["$defs"].keys()


def _references(part: Any) -> list[str]:
    if isinstance(part, list):
        return [found for item in part for found in _references(item)]
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        return own + [found for item in part.values() for found in _references(item)]
    return []


def test_the_schema_of_several_handlers_tells_them_apart_by_type() -> None:
    schema = registry.schema(
        module(Handler(data=Report, open=nothing, type="report"), Handler(data=Backup, open=nothing, type="backup"))
    )
    assert [(case["properties"]["type"], case["properties"]["data"]["$ref"]) for case in schema["anyOf"]] == [
        ({"const": "report"}, "#/$defs/Report"),
        ({"const": "backup"}, "#/$defs/Backup"),
    ]
    assert all(case["required"] == ["type"] for case in schema["anyOf"])


def test_a_package_that_is_missing_is_named_with_the_extra_that_brings_it() -> None:
    assert not_installed("ai", "json", "no_such_package.inner", "no_such_package") == [
        "the Python package no_such_package.inner is not installed: pip install 'edworkers[ai]'",
        "the Python package no_such_package is not installed: pip install 'edworkers[ai]'",
    ]


def install(folder: Path, package: str, *queues: str, module: str = "school_jobs", serves: str = "greetings") -> None:
    """Put a package there as pip does: its entry points, and a module with a pool."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
    lines = "".join(f"{queue} = {module}.{queue}\n" for queue in queues)
    (info / "entry_points.txt").write_text(f"[{registry.ENTRY_POINTS}]\n{lines}", encoding="utf-8")
    (folder / module).mkdir()
    example = Path(__file__).parents[2] / "examples" / "greetings" / "greetings.py"
    text = example.read_text(encoding="utf-8").replace('queue="greetings"', f'queue="{serves}"')
    for queue in queues:
        (folder / module / f"{queue}.py").write_text(text, encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    monkeypatch.syspath_prepend(folder)
    for name in [name for name in sys.modules if name.split(".")[0] in {"school_jobs", "other_jobs"}]:
        monkeypatch.delitem(sys.modules, name)
    return folder


def test_an_installed_package_offers_queues_by_entry_points(site: Path) -> None:
    install(site, "school-jobs", "greetings")
    assert registry.installed() == [*registry.PLATFORM, "greetings"]
    assert registry.find_module("greetings").handlers[0].run is not None
    assert registry.pool_for_queue("greetings").queue == "greetings"


def test_a_queue_that_two_packages_offer_names_both(site: Path) -> None:
    install(site, "school-jobs", "greetings")
    install(site, "other", "greetings", module="other_jobs")
    assert why_not("greetings") == (
        "handlers: greetings: several packages offer it (other, school-jobs): name the module itself"
    )


def test_an_entry_point_has_the_name_of_the_queue_that_its_pool_is_for(site: Path) -> None:
    install(site, "school-jobs", "greetings", serves="hellos")
    with pytest.raises(SettingsError, match="has the name of a queue, and its pool is for 'hellos'"):
        registry.pool_for_queue("greetings")


def test_an_entry_point_that_leads_nowhere_says_so(site: Path) -> None:
    install(site, "school-jobs", "greetings")
    (site / "school_jobs" / "greetings.py").unlink()
    assert "there is no such module" in why_not("greetings")


def test_the_platforms_own_queues_cant_be_taken_by_a_package(site: Path) -> None:
    install(site, "school-jobs", "ai", serves="ai")
    assert registry.pool_for_queue("ai").handlers == registry.PLATFORM["ai"]
    assert registry.installed().count("ai") == 1


@pytest.mark.parametrize("ways", [{}, {"run": print, "open": nothing}])
def test_a_handler_has_one_function_or_one_way_to_open_it(ways: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs either `run`, the function, or `open`"):
        Handler(data=Report, **ways)
