"""Makes a virtual environment beside the project's own, for packages that tests or benchmarks start as programs.

    python scripts/side_environment.py [LIST FOLDER]

By default `.venv-moto`, for moto's server, which stands in for S3 in tests: its packages want older versions of some
that edworkers uses. What is there already and was made from the same list is left as it is. Needs nothing but Python
itself.
"""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
LIST = TOP / "requirements" / "moto.txt"
FOLDER = TOP / ".venv-moto"


def make(packages: Path, folder: Path) -> None:
    """Make the environment anew. Raises CalledProcessError, after pip has said on stderr what is wrong."""
    pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    subprocess.run((sys.executable, "-m", "venv", "--clear", str(folder)), check=True)
    subprocess.run((*pip, "--require-hashes", "--no-deps", "--requirement", str(packages)), check=True)


def main(packages: Path = LIST, folder: Path = FOLDER) -> int:
    """Make the environment unless it is there; returns the exit code."""
    mark, wanted = folder / ".complete", hashlib.sha256(packages.read_bytes()).hexdigest()
    # Several test processes may come here at once: one of them makes it, and the others find it made.
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
            return 0
        try:
            make(packages, folder)
        except subprocess.CalledProcessError as error:
            print(f"{folder} can't be made from {packages}: {error}", file=sys.stderr)
            return 1
        mark.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
