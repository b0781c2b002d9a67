"""The paper on scaling shows what its simulation prints."""

from pathlib import Path

import pytest
from scale_model import pods_table, table

PAPER = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text(encoding="utf-8")
UPDATE = "copy what `python bench/scale_model.py` prints into docs/scaling.md, and look whether its text still holds"


@pytest.mark.timeout(300)
def test_the_simulated_days_are_those_of_the_paper() -> None:
    assert "\n".join(table()) in PAPER, UPDATE


def test_the_pods_are_those_of_the_paper() -> None:
    assert "\n".join(pods_table(100_000_000)) in PAPER, UPDATE
