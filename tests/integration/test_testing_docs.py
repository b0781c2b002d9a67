"""The page on testing is followed to the letter: each of its examples is run as a test of its own."""

import re
from pathlib import Path

import pytest

pytest_plugins = ("pytester",)

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
QUEUE, *EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
WAYS = {
    "pytest-asyncio": (
        "",
        ["-p", "no:anyio", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"],
    ),
    "anyio": (
        "import pytest\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n",
        ["-p", "no:asyncio", "-o", "anyio_mode=auto"],
    ),
    "no plugin": ("", ["-p", "no:asyncio", "-p", "no:anyio", "-k", "plain_function"]),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_example_of_the_page_holds(pytester: pytest.Pytester, way: str) -> None:
    conftest, options = WAYS[way]
    tests = "".join(EXAMPLES)
    pytester.makeconftest(conftest)
    pytester.makepyfile(greetings=QUEUE, test_greetings=tests)
    written = re.findall(r"^(?:async )?def (test_\w+)", tests, re.MULTILINE)
    meant = [name for name in written if way != "no plugin" or "plain_function" in name]
    said = pytester.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider", *options, timeout=60)
    said.assert_outcomes(passed=len(meant), deselected=len(written) - len(meant))
