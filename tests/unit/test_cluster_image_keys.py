"""When an image of the tests is built anew."""

import dataclasses
from pathlib import Path

import pytest

import debian
import images
import places


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> images.Image:
    monkeypatch.setattr(places, "PROJECT", tmp_path)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "code.py").write_text("1")
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    return images.Image("it:test", tmp_path / "Dockerfile", tmp_path, ("python3",), ("package",))


def test_an_image_of_the_same_has_the_same_key(image: images.Image, tmp_path: Path) -> None:
    before = image.key()
    (tmp_path / "package" / "__pycache__").mkdir()
    (tmp_path / "package" / "__pycache__" / "code.pyc").write_text("bytecode")
    (tmp_path / "elsewhere").write_text("2")
    assert image.key() == before


@pytest.mark.parametrize("file", ["package/code.py", "package/new.py", "Dockerfile"])
def test_whatever_an_image_is_made_of_changes_its_key(image: images.Image, tmp_path: Path, file: str) -> None:
    before = image.key()
    (tmp_path / file).write_text("other")
    assert image.key() != before


def test_a_file_that_moved_changes_the_key(image: images.Image, tmp_path: Path) -> None:
    before = image.key()
    (tmp_path / "package" / "code.py").rename(tmp_path / "package" / "moved.py")
    assert image.key() != before


def test_an_image_changes_with_what_it_is_built_on(image: images.Image, tmp_path: Path) -> None:
    above = dataclasses.replace(image, name="above:test", base=image, inputs=())
    before = above.key()
    (tmp_path / "package" / "code.py").write_text("other")
    assert above.key() != before


def test_two_debians_differ_by_their_packages() -> None:
    assert debian.recipe(["python3"]) != debian.recipe(["redis-server"])


def test_every_image_has_a_name_of_its_own_and_what_it_is_made_of() -> None:
    assert len({image.name for image in images.IMAGES}) == len(images.IMAGES)
    for image in images.IMAGES:
        assert image.dockerfile.is_file()
        assert all((image.context / name).exists() for name in image.inputs)
