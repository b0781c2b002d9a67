"""Writes Grafana's dashboards to charts/dashboards; with `--check` it only says which are out of date."""

import sys
from pathlib import Path

from scripts.dashboards.boards import BOARDS

FOLDER = Path(__file__).resolve().parents[2] / "charts" / "dashboards"


def outdated(folder: Path = FOLDER) -> dict[Path, str]:
    """Give the files whose text isn't what it should be, with that text."""
    wanted = {folder / f"{board.name}.json": board.text() for board in BOARDS}
    return {
        path: text for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text
    }


def main() -> None:
    """Write, or check."""
    found = outdated()
    if "--check" in sys.argv[1:]:
        for path in found:
            print(f"{path.name} is out of date: run python -m scripts.dashboards")
        sys.exit(bool(found))
    for path, text in found.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"written: {path.name}")


if __name__ == "__main__":
    main()
