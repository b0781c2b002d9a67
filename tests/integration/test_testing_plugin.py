"""What edworkers brings to pytest, in a project of its own."""

import pytest

pytest_plugins = ("pytester",)

STRICT = ("-W", "error", "-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:anyio", "-p", "no:randomly")


def test_a_run_that_asks_for_no_fixture_loads_nothing_of_edworkers(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        def test_nothing_is_loaded() -> None:
            ours = {name for name in sys.modules if name.partition(".")[0] == "edworkers"}
            assert ours == {"edworkers", "edworkers.pytest_plugin"}
            assert not {"pydantic", "structlog", "redis"} & set(sys.modules)
    """)
    pytester.runpytest_subprocess(*STRICT, timeout=60).assert_outcomes(passed=1)


def test_the_fixtures_are_told_with_what_they_give(pytester: pytest.Pytester) -> None:
    said = pytester.runpytest_subprocess("--fixtures", *STRICT, timeout=60)
    for name in ("edworkers_clock", "edworkers_broker", "edworkers_workers", "edworkers_run"):
        said.stdout.re_match_lines([rf"{name} -- .*pytest_plugin\.py:\d+"])
    said.stdout.no_fnmatch_line("*no docstring available*")


def test_a_test_may_leave_its_jobs_running(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import asyncio
        from contextlib import asynccontextmanager

        from pydantic import BaseModel

        from edworkers.core.settings import PoolSpec
        from edworkers.ports import Handler, HandlerModule

        heard = []

        class Data(BaseModel):
            pass

        @asynccontextmanager
        async def open_it(env):
            async def work(data, job):
                heard.append("begun")
                try:
                    await asyncio.sleep(50)
                finally:
                    heard.append("cancelled")

            yield work
            heard.append("closed")

        MODULE = HandlerModule(
            pool=PoolSpec(queue="work", handlers="none"), handlers=(Handler(data=Data, open=open_it),)
        )

        def test_one(edworkers_run, edworkers_workers, edworkers_clock, edworkers_broker):
            assert edworkers_workers.broker is edworkers_broker
            assert edworkers_workers.clock is edworkers_clock
            edworkers_workers.serve(MODULE)
            edworkers_broker.push("work", b'{"data": {}}')
            edworkers_run(edworkers_workers.advance(10))
            assert heard == ["begun"]

        def test_another(edworkers_workers):
            assert sorted(heard) == ["begun", "cancelled", "closed"]
            assert edworkers_workers.clock.monotonic() == 0
            assert edworkers_workers.broker.names() == []
    """)
    pytester.runpytest_subprocess(*STRICT, timeout=60).assert_outcomes(passed=2)
