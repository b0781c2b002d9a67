"""What Gemini's errors come to.

429, and 503 with RetryInfo     deferred at no cost for as long as the service says, and everyone waits
a wrong key, no right to the    deferred a minute at a time, and everyone waits: that is the operator's mistake, and
API, an unknown GEMINI_MODEL    burying every job for it would lose them; a critical log line names the variable
other 4xx                       buried: the job itself is at fault
everything else                 a failed attempt
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from edworkers.core.outcome import Deferred, Failed

QUOTA_SECONDS = 60.0
"""How long to wait for a quota of which the service doesn't say when it opens."""

OPERATOR_SECONDS = 60.0
"""How long to wait before asking again with settings that were refused."""

LONGEST_SECONDS = 3600.0
SHORTEST_SECONDS = 1.0
"""The service has been seen to ask for 0 s, which would spend the day's quota on being refused."""

_DURATION = re.compile(r"(\d{1,9}(\.\d{1,9})?)s")
_LONGEST_MESSAGE = 500


class ServiceError(NamedTuple):
    """An error of the service, or of whatever stands between: nothing in its body can be relied upon."""

    code: int
    status: str
    message: str
    details: tuple[dict[str, Any], ...]

    @property
    def retry_seconds(self) -> float | None:
        """How long the service asks to wait."""
        for detail in self.of_type("RetryInfo"):
            match = _DURATION.fullmatch(str(detail.get("retryDelay")))
            if match is not None:
                return min(max(float(match[1]), SHORTEST_SECONDS), LONGEST_SECONDS)
        return None

    @property
    def reasons(self) -> frozenset[str]:
        """Reasons in the service's own words, such as API_KEY_INVALID."""
        return frozenset(str(detail.get("reason")) for detail in self.of_type("ErrorInfo"))

    @property
    def quotas(self) -> tuple[str, ...]:
        """Names of the quotas that are used up."""
        found: list[str] = []
        for failure in self.of_type("QuotaFailure"):
            found += [str(violation.get("quotaId", "?"))[:100] for violation in _objects(failure.get("violations"))]
        return tuple(found)

    def of_type(self, name: str) -> list[dict[str, Any]]:
        """Give the details that are google.rpc messages of this name."""
        return [detail for detail in self.details if str(detail.get("@type")).endswith(f"google.rpc.{name}")]

    def __str__(self) -> str:
        words = " ".join(self.message.split())[:_LONGEST_MESSAGE]
        return f"{self.code} {self.status}: {words}" if words else f"{self.code} {self.status}"


def read_error(code: int, document: Any) -> ServiceError:
    """Read the body of an error, whatever it is."""
    outer = _object(document)
    inner = _object(outer.get("error")) or outer
    status, message = inner.get("status"), inner.get("message")
    return ServiceError(
        code,
        status[:100] if isinstance(status, str) else "",
        message if isinstance(message, str) else "",
        tuple(_objects(inner.get("details"))),
    )


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [_object(item) for item in cast("Sequence[Any]", value)] if isinstance(value, list) else []


def judge_error(error: ServiceError) -> Failed | Deferred:
    """Say what an error comes to that is no mistake of the operator's."""
    asked = error.retry_seconds
    if error.code == 429:
        return _wait_for_quota(error, asked)
    if error.code == 503 and asked is not None:
        return Deferred(asked, f"Gemini is overloaded and asks to wait {asked:g} s ({error})", close_gate=True)
    if 400 <= error.code < 500 and error.code != 408:
        return Failed("refused", f"Gemini refuses this job: {error}", retryable=False)
    return Failed("unavailable", f"Gemini failed: {error}", after_seconds=asked)


def _wait_for_quota(error: ServiceError, asked: float | None) -> Deferred:
    seconds = QUOTA_SECONDS if asked is None else asked
    which = f"{', '.join(error.quotas)}; " if error.quotas else ""
    return Deferred(seconds, f"Gemini's quota is used up, next try in {seconds:g} s ({which}{error})", close_gate=True)


def operators_mistake(error: ServiceError, *, model: str, own_model: bool) -> str | None:
    """Tell what the operator has to set right, where every job would meet the same error; None where it is another's.

    `own_model` says whether the job itself asked for the `model`.
    """
    if _is_about_the_key(error, own_model=own_model):
        return (
            f"Gemini refuses the key ({error}): set GEMINI_API_KEY to a key whose project may use the Gemini API,"
            " then restart; no job is lost, all of them wait"
        )
    if error.code == 404 and not own_model:
        return (
            f"Gemini doesn't know the model {model} ({error}): set GEMINI_MODEL, or GEMINI_BASE_URL if that is set,"
            " then restart; no job is lost, all of them wait"
        )
    return None


def _is_about_the_key(error: ServiceError, *, own_model: bool) -> bool:
    match error.code:
        case 400:  # FAILED_PRECONDITION: no billing, or not offered where the runner is
            return error.status == "FAILED_PRECONDITION" or "API_KEY_INVALID" in error.reasons
        case 401:
            return True
        case 403:  # only a model that the job chose can be forbidden for its own sake
            return not own_model or bool(error.reasons) or "api key" in error.message.lower()
        case _:
            return False
