"""How much is logged, and how it looks."""

import os
from collections.abc import Mapping

from edworkers.core.errors import SettingsError
from edworkers.telemetry import LEVELS, configure

_STYLES = ("text", "json")


def configure_logs(env: Mapping[str, str], level: str | None, style: str | None) -> None:
    """Set up logs as the command line says, else the environment, else `info` and `text`.

    Raises SettingsError with every fault.
    """
    faults: list[str] = []
    chosen_level = (level or env.get("EDWORKERS_LOG_LEVEL") or "info").lower()
    chosen_style = (style or env.get("EDWORKERS_LOG_FORMAT") or "text").lower()
    if chosen_level not in LEVELS:
        faults.append(f"--log-level or EDWORKERS_LOG_LEVEL: {chosen_level!r} is none of {', '.join(LEVELS)}")
    if chosen_style not in _STYLES:
        faults.append(f"--log-format or EDWORKERS_LOG_FORMAT: {chosen_style!r} is none of {', '.join(_STYLES)}")
    if faults:
        raise SettingsError("logs can't be set up:", faults)
    # What the command line says holds for the processes that this one starts, too.
    if level:
        os.environ["EDWORKERS_LOG_LEVEL"] = chosen_level
    if style:
        os.environ["EDWORKERS_LOG_FORMAT"] = chosen_style
    configure(chosen_level, chosen_style)
