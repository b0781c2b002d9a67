"""The least that can wait for a job: BLMOVE in a loop, and a line with the time (Unix ns) for each.

`python bench/bare_blmove.py URL PIPE`: moves from the list `bare:pending` to `bare:taken`.
"""

import os
import sys
import time
from typing import Any

import redis


def main(url: str, pipe: int) -> None:
    """Wait, note the time, begin anew."""
    client: Any = redis.Redis.from_url(url)
    while True:
        moved = client.blmove("bare:pending", "bare:taken", 0, "RIGHT", "RIGHT")
        os.write(pipe, b"%s %d\n" % (moved, time.time_ns()))
        client.delete("bare:taken")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
