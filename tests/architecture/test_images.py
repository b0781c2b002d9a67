"""What the images promise to whoever runs them, as their Dockerfiles say it."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from scripts.system import PACKAGES

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULES = {"runner": "edworkers", "documents": "edworkers", "operator": "edworkers_operator"}
DOCKERFILES = {"documents": "Dockerfile.runner"}
"""Where an image is not the last stage of a Dockerfile of its own name."""
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")

Instruction = tuple[str, str]


def instructions(image: str) -> list[Instruction]:
    """Read a Dockerfile: each instruction and its words, on one line, without comments."""
    lines = (ROOT / DOCKERFILES.get(image, f"Dockerfile.{image}")).read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    return [(words[0], " ".join(words[1:])) for line in text.splitlines() if (words := line.split())]


def stages(image: str) -> dict[str, list[Instruction]]:
    """Give the stages by their names, in order; one without a name is called as the image."""
    found: dict[str, list[Instruction]] = {}
    for word, rest in instructions(image):
        if word == "FROM":
            found[rest.split()[-1] if " AS " in rest else image] = []
        if found:
            found[list(found)[-1]].append((word, rest))
    return found


def whole_stage(image: str) -> list[Instruction]:
    """Give the instructions of an image's stage after those of the stages that it is made from."""
    all_stages, whole, name = stages(image), list[Instruction](), image
    while name in all_stages:
        whole = all_stages[name] + whole
        name = all_stages[name][0][1].split()[0]
    return whole


each_image = pytest.mark.parametrize("image", MODULES)


@pytest.mark.parametrize("image", ["runner", "operator"])
def test_an_image_is_the_last_stage_of_its_dockerfile(image: str) -> None:
    assert list(stages(image))[-1] == image


@each_image
def test_an_image_runs_as_nobody_and_starts_its_program_without_a_shell(image: str) -> None:
    stage = dict(whole_stage(image))
    assert stage["USER"] == "65532:65532"
    assert json.loads(stage["ENTRYPOINT"]) == ["/opt/edworkers/bin/python", "-m", MODULES[image]]


@each_image
def test_every_stage_is_built_on_the_base_that_can_be_chosen(image: str) -> None:
    found = instructions(image)
    named = {words.split()[-1] for word, words in found if word == "FROM" and " AS " in words}
    assert found[0] == ("ARG", "BASE=docker.io/library/python:3.11-slim-bookworm")
    assert {words.split()[0] for word, words in found if word == "FROM"} - named == {"${BASE}"}


@each_image
def test_an_image_has_only_what_is_copied_from_the_stages_before_and_debians_packages(image: str) -> None:
    words = [word for word, _ in whole_stage(image)]
    runs = [rest for word, rest in whole_stage(image) if word == "RUN"]
    assert len(runs) == (1 if image == "documents" else 0)
    assert all("apt-get" in run and "--no-install-recommends" in run for run in runs)
    assert "ADD" not in words
    assert all(rest.startswith("--from=") for word, rest in whole_stage(image) if word == "COPY")


@each_image
def test_everything_is_installed_by_its_hash_or_is_the_projects_own(image: str) -> None:
    runs = [rest for word, rest in instructions(image) if word == "RUN"]
    installs = re.findall(r"/build/bin/pip [^&]*?\b(?:install|wheel)\b[^&]*", " && ".join(runs))
    assert len(installs) == (4 if image == "operator" else 5)
    assert all("--no-deps" in words for words in installs)
    assert all("--require-hashes" in words or "--no-index" in words for words in installs)
    assert any(f"-r requirements/{image}.txt" in words for words in installs)


def test_the_image_for_documents_has_the_programs_that_the_tests_run_with() -> None:
    [installed] = [rest for word, rest in whole_stage("documents") if word == "RUN"]
    assert {*PACKAGES["soffice"], *PACKAGES["pango"]} <= set(installed.split())


@each_image
def test_an_image_says_which_version_it_is_of(image: str) -> None:
    lines = " ".join(rest for word, rest in whole_stage(image) if word == "LABEL")
    labels = dict(re.findall(r'([a-z.]+)="([^"]*)"', lines))
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
