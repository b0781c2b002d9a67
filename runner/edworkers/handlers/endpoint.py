"""Addresses to which webhooks may be sent."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

# A backslash is a slash to some readers of URLs and not to others, so they would see different hosts.
_NOT_IN_A_URL = re.compile(r"[\s\x00-\x1f\x7f\\]")


def check_endpoint(url: str) -> str:
    """Refuse what is no absolute http or https URL, or has a user name or password in it. Raises ValueError."""
    if _NOT_IN_A_URL.search(url):
        raise ValueError("must be a URL without spaces, control characters and backslashes")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http or https URL with a host, such as https://school.example/hooks")
    if "@" in parts.netloc:
        raise ValueError("must not have a user name or password in it")
    if parts.port == 0:  # reading the port raises ValueError for one that is no number up to 65535
        raise ValueError("must not have port 0")
    return url


Endpoint = Annotated[str, Field(max_length=2048, json_schema_extra={"format": "uri"}), AfterValidator(check_endpoint)]


def host_of(url: str) -> str:
    """Name the host and port of an endpoint; the rest of a URL may hold what is not for log lines."""
    return urlsplit(url).netloc
