"""Environments beside the project's own are made when they are missing."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def make(packages: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    words = (sys.executable, str(ROOT / "scripts" / "side_environment.py"), str(packages), str(folder))
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_it_is_made_once_and_anew_when_its_list_changes(tmp_path: Path) -> None:
    packages, folder = tmp_path / "list.txt", tmp_path / "env"
    packages.write_text("# nothing\n")
    assert make(packages, folder).returncode == 0
    (folder / "mine").touch()
    assert make(packages, folder).returncode == 0
    assert (folder / "mine").exists()
    packages.write_text("# nothing else\n")
    assert make(packages, folder).returncode == 0
    assert not (folder / "mine").exists()


def test_what_can_not_be_installed_is_told_and_tried_again(tmp_path: Path) -> None:
    packages, folder = tmp_path / "list.txt", tmp_path / "env"
    packages.write_text("edworkers==0.0 --hash=sha256:nothing\n")
    for _ in range(2):
        done = make(packages, folder)
        assert done.returncode == 1
        assert f"{folder} can't be made from {packages}" in done.stderr
