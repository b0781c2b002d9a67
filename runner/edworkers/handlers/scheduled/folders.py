"""Folders in storage, as the data of jobs names them."""

from typing import Annotated

from pydantic import AfterValidator, Field

from edworkers.adapters.storage.places import prefix_of


def check_folder(url: str) -> str:
    """Refuse what is no URL of a folder, and write it as listings do. Raises ValueError."""
    place = prefix_of(url)
    if not url.endswith("/"):
        raise ValueError("must end with /, for it is a folder: s3://bucket/folder/ or file:///folder/")
    return place.url.rstrip("/") + "/"


Folder = Annotated[
    str, Field(max_length=1900, json_schema_extra={"pattern": "^(s3://|file:///).*/$"}), AfterValidator(check_folder)
]
"""`s3://bucket/folder/` or `file:///folder/`."""
