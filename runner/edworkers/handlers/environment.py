"""What handlers read from the environment, and how they say what is wrong with it."""

import re
from collections.abc import Mapping
from importlib.util import find_spec

_DIGITS = re.compile(r"[0-9]{1,18}")


def whole_number(env: Mapping[str, str], name: str, faults: list[str], *, maximum: int) -> int | None:
    """Read a number from 1 to `maximum`; None where it is unset or empty, and one more fault where it is none."""
    text = env.get(name, "").strip()
    if not text:
        return None
    if _DIGITS.fullmatch(text) and 1 <= int(text) <= maximum:
        return int(text)
    faults.append(f"{name}: must be a whole number from 1 to {maximum}, not {text[:40]!r}")
    return None


def not_installed(extra: str, *packages: str) -> list[str]:
    """Say which of an extra's packages are missing, without importing them."""
    return [
        f"the Python package {package} is not installed: pip install 'edworkers[{extra}]'"
        for package in packages
        if not _is_installed(package)
    ]


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # for a dotted name, when the package around it is missing
        return False
