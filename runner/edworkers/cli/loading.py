"""What Python's garbage collector does while a program loads, and to what it has loaded."""

import gc

_USUAL = gc.get_threshold()
_WHILE_LOADING = 200_000
"""More objects than loading makes: what is loaded stays, and to look for garbage in it was a seventh of the start."""


def begin_loading() -> None:
    """Let the collector rest while modules are loaded."""
    gc.set_threshold(_WHILE_LOADING)


def end_loading() -> None:
    """Let it work as usual, but leave out what is there by now: to look through that would hold up all jobs."""
    gc.freeze()
    gc.set_threshold(*_USUAL)
