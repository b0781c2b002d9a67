"""The data of a job of the queue `document`."""

from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from edworkers.handlers.data import JobData
from edworkers.handlers.document.conversions import Target
from edworkers.handlers.document.pages import SHAPE, Range, parse_pages
from edworkers.handlers.endpoint import check_endpoint
from edworkers.handlers.stored import check_stored_url

PAGE = "{page}"
_USUAL_NAME = f"page-{PAGE}.png"
_OPTIONS_FOR: dict[str, tuple[Target, ...]] = {"pages": ("pdf", "png"), "compress": ("pdf",), "width": ("png",)}


def _check_source(url: str) -> str:
    if url.startswith("https://"):
        return check_endpoint(url)
    if not url.startswith(("s3://", "file://")):
        raise ValueError("must be s3://bucket/key, file:///folder/name or an https URL")
    return check_stored_url(url)


def _check_destination(url: str) -> str:
    """Check it as it will be for one page; whether that is wanted, the whole job tells."""
    check_stored_url(page_url(url, 1) if url.endswith("/") or PAGE in url else url)
    return url


def _check_pages(text: str) -> str:
    parse_pages(text)
    return text


Source = Annotated[
    str,
    Field(max_length=2048, json_schema_extra={"pattern": "^(s3://|file:///|https://)"}),
    AfterValidator(_check_source),
]
Destination = Annotated[
    str, Field(max_length=2048, json_schema_extra={"pattern": "^(s3://|file:///)"}), AfterValidator(_check_destination)
]
Choice = Annotated[str, Field(json_schema_extra={"pattern": f"^{SHAPE}$"}), AfterValidator(_check_pages)]


class Options(JobData):
    """How a document is converted."""

    pages: Choice | None = None
    """To pdf and png: only these pages, such as `1-3,7,10-`. Without it: all."""
    compress: bool = False
    """To pdf: makes the file smaller, by smaller pictures, too. What is a PDF already is always made smaller."""
    width: int | None = Field(default=None, ge=16, le=4000)
    """To png: how many pixels wide each picture is; 400 where it isn't given."""

    @property
    def ranges(self) -> tuple[Range, ...] | None:
        """The pages that are wanted; None for all."""
        return None if self.pages is None else parse_pages(self.pages)


class DocumentData(JobData):
    """A document to be converted."""

    source: Source | None = None
    """The document: `s3://bucket/key`, `file:///folder/name` below STORAGE_FOLDER, or an https URL."""
    sources: tuple[Source, ...] | None = Field(default=None, min_length=2, max_length=100, strict=False)
    """In place of `source`: several, which are made one PDF in this order."""
    to: Target
    destination: Destination
    """Where the result is written. For png a folder (it ends with /), or a name with {page} in it for the number."""
    options: Options = Options()

    @model_validator(mode="after")
    def _check_sources(self) -> "DocumentData":
        if (self.source is None) == (self.sources is None):
            raise ValueError("give source, or sources for several, and not both")
        return self

    # Each at its field, so that the fault names it.
    @field_validator("to")
    @classmethod
    def _check_to(cls, to: Target, others: ValidationInfo) -> Target:
        if others.data.get("sources") and to != "pdf":
            raise ValueError("must be pdf, for several sources are only put together to pdf")
        return to

    @field_validator("destination")
    @classmethod
    def _check_place(cls, destination: str, others: ValidationInfo) -> str:
        has_place = destination.endswith("/") or PAGE in destination
        to = others.data.get("to", "png" if has_place else "pdf")
        if to == "png" and not has_place:
            raise ValueError(f"for png it must end with / or have {PAGE} in it, for each page is a file")
        if to != "png" and has_place:
            raise ValueError(f"must be one name, without {PAGE} and no / at the end, for only png is several files")
        return destination

    @field_validator("options")
    @classmethod
    def _check_options(cls, options: Options, others: ValidationInfo) -> Options:
        to = others.data.get("to")
        given = {name for name, value in options if value != Options.model_fields[name].default}
        faults = [
            f"{name} is only for {' and '.join(targets)}, not for {to}"
            for name, targets in _OPTIONS_FOR.items()
            if name in given and to is not None and to not in targets
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return options

    @property
    def all_sources(self) -> tuple[str, ...]:
        """The sources, be it one or several."""
        return (self.source,) if self.source is not None else self.sources or ()


def page_url(destination: str, number: int) -> str:
    """Name the file of a page, by a number of at least four digits."""
    whole = f"{destination}{_USUAL_NAME}" if destination.endswith("/") else destination
    return whole.replace(PAGE, f"{number:04}")


def name_of(source: str) -> str:
    """Give the name that a source has, the last part of its path."""
    path = source.partition("://")[2] if source.startswith("s3://") else unquote(urlsplit(source).path)
    return path.rpartition("/")[2]
