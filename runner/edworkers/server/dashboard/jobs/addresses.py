"""Where pages about jobs are. An id may have any printable sign in it, slashes and dots too."""

from urllib.parse import quote, urlencode

_DOTS = (".", "..")
"""As a part of a path these lead elsewhere, however they are written."""


def job_path(queue: str, job_id: str, verb: str = "jobs") -> str:
    """Give the address of a job's page, or, with a verb such as `edit`, of what can be done to it."""
    if job_id in _DOTS:
        return f"/queues/{queue}/{verb}/?{urlencode({'id': job_id})}"
    return f"/queues/{queue}/{verb}/{quote(job_id, safe='')}"


def search_path(**asked: str | None) -> str:
    """Give the address of a search; fields that are None are left out."""
    given = {name: value for name, value in asked.items() if value}
    return f"/search?{urlencode(given)}" if given else "/search"


def operations_path(*ids: str) -> str:
    """Give the address of the page that shows these operations."""
    return f"/operations?{urlencode([('of', operation_id) for operation_id in ids])}" if ids else "/operations"
