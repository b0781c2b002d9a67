"""Where the `edworkers` command begins."""

import sys


def main() -> None:
    """Run the command line; errors of edworkers' own are told in plain words, on stderr."""
    from edworkers.cli.app import app
    from edworkers.core.errors import EdworkersError

    try:
        app()
    except EdworkersError as error:
        sys.stderr.write(f"edworkers: {error}\n")
        sys.exit(getattr(error, "exit_code", 1))


if __name__ == "__main__":
    main()
