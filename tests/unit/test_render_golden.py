"""What pools become stands in tests/golden, word for word, so that each change to it is seen.

After a change that is meant, write the files anew and read what differs:

    UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/unit/test_render_golden.py
    git diff tests/golden
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.render_cases import CASES

GOLDEN = Path(__file__).parents[1] / "golden"
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"


class Plainly(yaml.SafeDumper):
    """Writes equal parts out each time."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - as PyYAML declares it
        return True


def written(objects: list[dict[str, Any]]) -> str:
    return yaml.dump_all(objects, Dumper=Plainly, sort_keys=False, width=1000, allow_unicode=True)


@pytest.mark.parametrize("name", CASES)
def test_a_pool_becomes_what_its_golden_file_says(name: str) -> None:
    path = GOLDEN / f"{name}.yaml"
    text = written(CASES[name].objects())
    if UPDATE:
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"there is no {path.name}: write it with UPDATE_GOLDEN=1"
    assert text == path.read_text(encoding="utf-8")


def test_every_golden_file_is_that_of_a_pool() -> None:
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == CASES.keys()
