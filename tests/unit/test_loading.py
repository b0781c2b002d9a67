"""The garbage collector while a program loads, and after that."""

import gc
from collections.abc import Generator

import pytest

from edworkers.cli.loading import begin_loading, end_loading


@pytest.fixture(autouse=True)
def _as_before() -> Generator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_was_loaded_is_never_looked_through_again_and_what_comes_is_as_usual() -> None:
    usual = gc.get_threshold()
    begin_loading()
    assert gc.get_threshold()[0] > 100 * usual[0]
    end_loading()
    assert gc.get_threshold() == usual
    assert gc.get_freeze_count() > 1000


def test_garbage_that_comes_later_is_found() -> None:
    begin_loading()
    end_loading()
    gc.collect()
    ring: list[object] = []
    ring.append(ring)
    del ring
    assert gc.collect() >= 1
