"""Where the `edworkers` command begins."""

import sys


def main() -> None:
    """Run the command line; errors of edworkers' own are told in plain words, on stderr."""
    from edworkers.cli.report import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
