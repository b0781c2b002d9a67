"""What a receiver's answer comes to.

2xx     done
3xx     buried: redirects are not followed, the URL has to be put right
410     buried: the receiver wants no more of these
other   a failed attempt; `Retry-After` is obeyed, up to an hour

What a receiver says is kept, whatever it comes to. 5xx and 429 count towards opening its circuit.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from edworkers.core.outcome import Done, Failed

LONGEST_WAIT_SECONDS = 3600.0

_QUOTED_CHARACTERS = 500
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def judge_answer(
    status: int, headers: Mapping[str, str], body: bytes, *, host: str, seconds: float, now: datetime
) -> Done | Failed:
    """Say what an answer comes to. `headers` has names in lower case, `body` is the beginning of the answer's."""
    text = body.decode("utf-8", "replace")
    if 200 <= status < 300:
        return Done({"status": status, "body": text, "seconds": round(seconds, 3)})
    answered = f"{host} answered {status} {_PHRASES.get(status, '')}".rstrip()
    if 300 <= status < 400:
        where = one_line(headers.get("location", "")) or "nowhere"
        message = f"{answered}, a redirect to {where}: redirects are not followed, so give the final address as `url`"
        return Failed("redirect", message, retryable=False, answer=text, service_down=False)
    said = one_line(text)
    message = f"{answered}: {said}" if said else answered
    if status == HTTPStatus.GONE:
        return Failed("gone", message, retryable=False, answer=text, service_down=False)
    return Failed(
        "status",
        message,
        after_seconds=retry_after_seconds(headers.get("retry-after"), now),
        answer=text,
        service_down=status >= 500 or status == HTTPStatus.TOO_MANY_REQUESTS,
    )


def one_line(text: str) -> str:
    """Make a stranger's text fit for a log line: printable, on one line and not long."""
    printable = "".join(character if character.isprintable() else " " for character in text[: 2 * _QUOTED_CHARACTERS])
    line = " ".join(printable.split())
    return line if len(line) <= _QUOTED_CHARACTERS else f"{line[:_QUOTED_CHARACTERS]}…"


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Read `Retry-After`: seconds, or a date of HTTP; None where it is neither, and never more than an hour."""
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]+", text):
        return min(float(text[:10]), LONGEST_WAIT_SECONDS) if len(text) <= 10 else LONGEST_WAIT_SECONDS
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), LONGEST_WAIT_SECONDS)
