"""What happened, told as log lines and as spans of traces."""

from edworkers.telemetry.log_lines import LEVELS, configure, log, tell_settled

__all__ = ["LEVELS", "configure", "log", "tell_settled"]
