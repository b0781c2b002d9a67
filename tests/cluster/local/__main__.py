"""Starts and stops a Kubernetes for tests: `python tests/cluster/local up`; docs/test-cluster.md tells more."""

import sys
from collections.abc import Callable

import host
import kind
from steps import PRIVILEGES, ClusterError

_VERBS = ("up", "down", "status", "images")


def main(words: list[str]) -> int:
    """Do what the words say; returns the exit code."""
    if len(words) != 1 or words[0] not in _VERBS:
        print(f"usage: python tests/cluster/local {'|'.join(_VERBS)}", file=sys.stderr)
        return 2
    try:
        return _verb(words[0])()
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"cluster: {error}; {PRIVILEGES}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _verb(name: str) -> Callable[[], int]:
    verb: Callable[[], int] = getattr(kind if kind.is_possible() else host, name)
    return verb


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
