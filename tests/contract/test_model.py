"""Whatever is done to a queue, in whatever order: both worlds keep every promise, and do as the model says.

A longer run, `MODEL_EXAMPLES=5000 python -m pytest tests/contract/test_model.py`, takes a tenth of a second an example.
`MODEL_SHRINK=1` has what fails made short, which takes some minutes.
"""

import os

import pytest
from hypothesis import Phase
from tests.contract.model.play import play_on

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "80"))
SHRINKS = bool(os.environ.get("MODEL_SHRINK"))
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if SHRINKS else [])]


@pytest.mark.timeout(120 + EXAMPLES * 2 + 600 * SHRINKS)
def test_every_promise_is_kept_whatever_is_done(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    play_on(redis_url, monkeypatch, max_examples=EXAMPLES, phases=PHASES)
