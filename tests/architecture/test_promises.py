"""Every promise of the documents names the tests that prove it, and these exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
PROMISED = TEXT.split("\n## Promised\n")[1].split("\n## Not promised\n")[0]
PROOF = re.compile(r"^- `(tests/[\w/]+\.py)::(test_\w+)`$", re.MULTILINE)


def promises() -> dict[str, list[tuple[str, str]]]:
    """Give the proofs of each promise, by its first words."""
    parts = re.split(r"^\*\*(.+?)\*\*", PROMISED, flags=re.MULTILINE)[1:]
    return {words: PROOF.findall(rest) for words, rest in zip(parts[::2], parts[1::2], strict=True)}


def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, functions)}


def test_the_promises_are_found() -> None:
    assert len(promises()) > 8
    assert "At least once." in promises()


def test_every_promise_names_what_proves_it() -> None:
    assert [words for words, proofs in promises().items() if not proofs] == []


def test_every_proof_is_a_test() -> None:
    named = [proof for proofs in promises().values() for proof in proofs]
    assert [f"{path}::{name}" for path, name in named if name not in names_in(path)] == []


def test_nothing_stands_in_the_place_of_a_proof_that_is_none() -> None:
    listed = [line for line in PROMISED.splitlines() if line.startswith("- ")]
    assert [line for line in listed if not PROOF.match(line)] == []
