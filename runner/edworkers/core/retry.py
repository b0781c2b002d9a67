"""When to try again."""


def backoff_seconds(
    failures: int, *, initial: float, factor: float, maximum: float, jitter: float, roll: float
) -> float:
    """Wait before the next attempt, in seconds.

    Grows as `initial * factor ** (failures - 1)` up to `maximum`, then is spread evenly over plus or minus `jitter`
    (a fraction) by `roll`, which lies between 0 and 1. `failures` counts the attempts that failed, from 1.
    """
    steps = min(failures - 1, 1000)
    try:
        wait = min(initial * factor**steps, maximum)
    except OverflowError:
        wait = maximum if initial > 0 else 0.0
    return wait * (1 + jitter * (2 * roll - 1))
