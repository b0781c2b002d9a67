"""Hands this machine's settings of pip to a build, as secrets: none of them gets into the image."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_LINE = re.compile(r"(global|install|:env:)\.([a-z-]+)=(.+)")
_RANKS = ("global", "install", ":env:")
"""What comes later counts more."""

_TAKEN = (
    "index-url",
    "extra-index-url",
    "no-index",
    "find-links",
    "trusted-host",
    "proxy",
    "timeout",
    "retries",
    "cert",
)
_OTHER_NAMES = {"default-timeout": "timeout"}
_CA = "/run/secrets/ca"
"""Where the build finds the machine's certificate authorities."""


def options(folder: Path) -> list[str]:
    """Give buildah's options; the files that they name are in the folder, or the machine's own."""
    pip = [sys.executable, "-m", "pip", "config", "list"]
    settings = merge(subprocess.run(pip, capture_output=True, text=True, check=True).stdout)
    folders = [
        path for path in settings.get("find-links", "").split() if Path(path).is_absolute() and Path(path).is_dir()
    ]
    words = [f"--volume={path}:{path}:ro" for path in folders]
    cert = settings.get("cert") or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    if cert:
        words.append(f"--secret=id=ca,src={cert}")
        settings["cert"] = _CA
    written = folder / "pip.conf"
    written.write_text(as_file(settings))
    return [*words, f"--secret=id=pip,src={written}"]


def merge(said: str) -> dict[str, str]:
    """Read what `pip config list` says, and keep what decides where packages come from and how they are fetched."""
    found = [match for line in said.splitlines() if (match := _LINE.fullmatch(line))]
    found.sort(key=lambda match: _RANKS.index(match[1]))
    settings = {_OTHER_NAMES.get(match[2], match[2]): str(ast.literal_eval(match[3])) for match in found}
    return {name: value for name, value in settings.items() if name in _TAKEN}


def as_file(settings: Mapping[str, str]) -> str:
    """Write the settings as pip's configuration file holds them; the lines of a list are indented."""
    lines = [f"{name} = {value}".replace("\n", "\n  ") for name, value in settings.items()]
    return "\n".join(["[global]", *lines, ""])
