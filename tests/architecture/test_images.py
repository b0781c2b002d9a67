"""What the images promise to whoever runs them, as their Dockerfiles say it."""

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULES = {"runner": "edworkers", "operator": "edworkers_operator"}
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")


def instructions(image: str) -> list[tuple[str, str]]:
    """Read a Dockerfile: each instruction and its words, on one line, without comments."""
    lines = (ROOT / f"Dockerfile.{image}").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    return [(words[0], " ".join(words[1:])) for line in text.splitlines() if (words := line.split())]


def final_stage(image: str) -> list[tuple[str, str]]:
    found = instructions(image)
    last = max(index for index, (word, _) in enumerate(found) if word == "FROM")
    return found[last:]


each_image = pytest.mark.parametrize("image", MODULES)


@each_image
def test_an_image_runs_as_nobody_and_starts_its_program_without_a_shell(image: str) -> None:
    stage = dict(final_stage(image))
    assert stage["USER"] == "65532:65532"
    assert json.loads(stage["ENTRYPOINT"]) == ["/opt/edworkers/bin/python", "-m", MODULES[image]]


@each_image
def test_every_stage_is_built_on_the_base_that_can_be_chosen(image: str) -> None:
    found = instructions(image)
    named = {words.split()[-1] for word, words in found if word == "FROM" and " AS " in words}
    assert found[0] == ("ARG", "BASE=docker.io/library/python:3.11-slim-bookworm")
    assert {words.split()[0] for word, words in found if word == "FROM"} - named == {"${BASE}"}


@each_image
def test_an_image_has_only_what_is_copied_from_the_stages_before(image: str) -> None:
    words = [word for word, _ in final_stage(image)]
    assert "RUN" not in words
    assert "ADD" not in words
    assert all(rest.startswith("--from=") for word, rest in final_stage(image) if word == "COPY")


@each_image
def test_everything_is_installed_by_its_hash_or_is_the_projects_own(image: str) -> None:
    runs = [rest for word, rest in instructions(image) if word == "RUN"]
    installs = re.findall(r"/build/bin/pip [^&]*?\b(?:install|wheel)\b[^&]*", " && ".join(runs))
    assert len(installs) == 4
    assert all("--no-deps" in words for words in installs)
    assert all("--require-hashes" in words or "--no-index" in words for words in installs)
    assert any(f"-r requirements/{image}.txt" in words for words in installs)


@each_image
def test_an_image_says_which_version_it_is_of(image: str) -> None:
    labels = dict(re.findall(r'([a-z.]+)="([^"]*)"', dict(final_stage(image))["LABEL"]))
    assert labels == {
        "org.opencontainers.image.title": f"edworkers-{image}",
        "org.opencontainers.image.description": labels["org.opencontainers.image.description"],
        "org.opencontainers.image.version": PROJECT["version"],
        "org.opencontainers.image.licenses": PROJECT["license"],
    }


@each_image
def test_what_is_copied_is_sent_to_the_builder(image: str) -> None:
    copied = [rest.split()[:-1] for word, rest in instructions(image) if word == "COPY" and not rest.startswith("--")]
    assert IGNORED[1] == "*"
    assert {path.split("/")[0] for paths in copied for path in paths} == {
        line[1:] for line in IGNORED if line[:1] == "!"
    }
