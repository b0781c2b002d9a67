"""How much is logged, and how it looks."""

import os
from collections.abc import Mapping

from edworkers.core.errors import SettingsError
from edworkers.core.redact import MORE_NAMES, names_in
from edworkers.telemetry import LEVELS, configure

LEVEL, STYLE = "EDWORKERS_LOG_LEVEL", "EDWORKERS_LOG_FORMAT"
_STYLES = ("text", "json")


def configure_logs(env: Mapping[str, str], level: str | None, style: str | None, *, tolerant: bool = False) -> None:
    """Set up logs as the command line says, else the environment, else `info` and `text`.

    Raises SettingsError with every fault; if `tolerant`, those of the environment are left for `log_faults` to tell.
    """
    # What the command line says holds for the processes that this one starts, too.
    given = {name: value for name, value in ((LEVEL, level), (STYLE, style)) if value}
    faults = log_faults(given if tolerant else {**env, **given})
    if faults:
        raise SettingsError("logs can't be set up:", faults)
    os.environ.update(given)
    merged = {**env, **given}
    usable = {} if log_faults(merged) else merged
    more_names = names_in(env.get(MORE_NAMES, ""))
    configure((usable.get(LEVEL) or "info").lower(), (usable.get(STYLE) or "text").lower(), more_names)


def log_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the settings of logs."""
    return [
        f"--log-{option} or {name}: {value!r} is none of {', '.join(known)}"
        for option, name, known in (("level", LEVEL, LEVELS), ("format", STYLE, _STYLES))
        if (value := env.get(name)) and value.lower() not in known
    ]
