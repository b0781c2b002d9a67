"""What is written beside the code and must say the same as it."""

import re
from pathlib import Path

from edworkers.core import lifecycle

ARCHITECTURE = Path(__file__).parents[2] / "ARCHITECTURE.md"
MERMAID = re.compile(r"^```mermaid\n(.*?)\n```$", re.DOTALL | re.MULTILINE)


def test_the_drawing_of_a_jobs_life_is_that_of_the_code() -> None:
    drawings = MERMAID.findall(ARCHITECTURE.read_text(encoding="utf-8"))
    assert lifecycle.diagram() in drawings
