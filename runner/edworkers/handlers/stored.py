"""Addresses of stored objects in the data of jobs."""

from typing import Annotated

from pydantic import AfterValidator, Field

from edworkers.adapters.storage.places import place_of


def check_stored_url(url: str) -> str:
    """Refuse what is neither s3://bucket/key nor file:///folder/name. Raises ValueError."""
    place_of(url)
    return url


StoredUrl = Annotated[
    str,
    Field(max_length=2048, json_schema_extra={"pattern": "^(s3://[^/]+/|file:///)"}),
    AfterValidator(check_stored_url),
]
"""`s3://bucket/key` or `file:///folder/name`; whether there is anything, the store finds out."""
