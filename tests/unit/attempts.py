"""An attempt at a job as a handler knows it, for tests of what handlers decide."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AnAttempt:
    """The `JobContext` port without a runner behind it."""

    attempt: int = 1
    max_attempts: int = 3
    id: str = "01JOB"
    queue: str = "work"
    type: str | None = None
    receipt: str = "r1"
    seconds_left: float = 300.0
    traceparent: str | None = None

    async def progress(self, fraction: float, note: str = "") -> None:
        raise AssertionError(f"it tells of progress: {fraction} {note}")

    async def emit(self, text: str) -> None:
        raise AssertionError(f"it tells a text: {text}")

    def log(self, message: str, level: str = "info") -> None:
        raise AssertionError(f"it logs: {level} {message}")
