"""The guide to a queue of one's own is followed to the letter."""

import re
from pathlib import Path

import pytest
from tests.integration.command_line import CommandLine
from tests.integration.processes import Programs

from edworkers.core.manifest import CLUSTER_FIELDS
from edworkers.core.settings import PoolSpec
from edworkers.handlers.registry import concurrency_variable

GUIDE = (Path(__file__).parents[2] / "docs" / "your-own-queue.md").read_text(encoding="utf-8")


def _block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.timeout(60)
async def test_the_queue_of_the_guide_works_as_it_says(programs: Programs, redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "greetings.py").write_text(_block("python"), encoding="utf-8")
    manifest = tmp_path / "greetings.yaml"
    manifest.write_text(_block("yaml"), encoding="utf-8")
    shell = CommandLine(tmp_path, redis_url)
    runner = await programs.start("run", "greetings", "--pool", str(manifest), PYTHONPATH=str(tmp_path))
    await runner.says("runner.started")
    for name, code, said in (("Ada", 0, "Hello Ada"), ("nobody", 6, "there is nobody to greet")):
        words = ("enqueue", "greetings", f'{{"name":"{name}"}}', "--pool", str(manifest), "--wait")
        ran = await shell.run(*words, PYTHONPATH=str(tmp_path))
        assert ran.code == code
        assert said in ran.out + ran.err


def test_the_guide_names_every_setting_of_a_manifest() -> None:
    names = {field.alias or name for name, field in PoolSpec.model_fields.items()}
    named = set(re.findall(r"`([a-zA-Z]+)(?:\.[a-zA-Z]+)?`", GUIDE))
    assert names - named == set()
    assert CLUSTER_FIELDS & named
    assert concurrency_variable("queue").replace("QUEUE", "<QUEUE>") in GUIDE
