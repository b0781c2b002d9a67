"""What the URLs of stored objects mean: `s3://bucket/key` and `file:///folder/name`."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, unquote_to_bytes

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LONGEST_KEY = 1024
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class S3Place:
    """An object in a bucket, or with an empty or unfinished key what objects' keys begin with."""

    bucket: str
    key: str

    @property
    def url(self) -> str:
        """The URL of it."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A file, by its absolute path."""

    path: PurePosixPath

    @property
    def url(self) -> str:
        """The URL of it, with everything encoded that a URL may not hold."""
        return f"file://{quote(str(self.path))}"


Place = S3Place | FilePlace


def place_of(url: str) -> Place:
    """Read the URL of an object.

    In `s3://` URLs the key is taken as it stands, as S3's own tools do; in `file://` URLs `%20` is a space.
    Raises ValueError, whose text says what is wrong, for all that is not the one plain name of an object.
    """
    place = prefix_of(url)
    name = place.key if isinstance(place, S3Place) else str(place.path)
    if not name or url.endswith("/"):
        raise ValueError("must name one object: a URL that ends with / is a folder")
    return place


def prefix_of(url: str) -> Place:
    """Read the URL of an object or of a folder of them. Raises ValueError as `place_of` does."""
    if _CONTROL.search(url):
        raise ValueError("must be a URL without control characters")
    scheme, _, rest = url.partition("://")
    if scheme == "s3":
        return _s3(rest)
    if scheme == "file":
        return _file(rest)
    raise ValueError("must be s3://bucket/key or file:///folder/name")


def _s3(rest: str) -> S3Place:
    bucket, _, key = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError("must have the name of a bucket after s3://: 3 to 63 of a-z, 0-9, - and .")
    if len(key.encode()) > _LONGEST_KEY:
        raise ValueError(f"must have a key of at most {_LONGEST_KEY} bytes")
    _check_segments(key.removesuffix("/"))
    return S3Place(bucket, key)


def _file(rest: str) -> FilePlace:
    if not rest.startswith("/"):
        raise ValueError("must have three slashes after file: and an absolute path: file:///folder/name")
    if "?" in rest or "#" in rest:
        raise ValueError("must not have ? or # in it: write %3F and %23 where they belong to a name")
    if _BAD_ESCAPE.search(rest):
        raise ValueError("must have two hexadecimal digits after each %: write %25 where it belongs to a name")
    path = _decoded(rest)
    _check_segments(path.removeprefix("/").removesuffix("/"))
    if any(len(name.encode()) > _LONGEST_NAME for name in path.split("/")):
        raise ValueError(f"must have names of at most {_LONGEST_NAME} bytes between its slashes")
    return FilePlace(PurePosixPath(path))


def _decoded(path: str) -> str:
    """Decode the percent-encodings; none of them may stand for a slash or a control character."""
    if "%2f" in path.lower():
        raise ValueError("must not have %2F in it: a name can't hold a slash")
    try:
        decoded = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise ValueError("must be UTF-8, also where it is percent-encoded") from None
    if _CONTROL.search(decoded):
        raise ValueError("must be a URL without control characters, also percent-encoded ones")
    return decoded


def _check_segments(name: str) -> None:
    """Refuse what some readers take for another name: `..`, `.` and nothing between two slashes."""
    if name and not {".", "..", ""}.isdisjoint(name.split("/")):
        raise ValueError("must not have . or .. or nothing at all between its slashes")
