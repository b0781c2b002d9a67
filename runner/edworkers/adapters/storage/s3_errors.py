"""S3's errors, put into words that say what to do and never hold a secret."""

import re
from collections.abc import Generator
from contextlib import contextmanager

from edworkers.adapters.storage.places import S3Place
from edworkers.core.errors import NotStoredError, StorageError, StorageRefusedError, StorageUnavailableError

_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,60})</Code>")
_STATUS = re.compile(r"status code: ([0-9]{3})")
_UNSENT = re.compile(r"error sending request|timed out")

_OF_KEYS = {"AccessDenied", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"}


@contextmanager
def translated(place: S3Place, where: str) -> Generator[None]:
    """Translate what obstore raises; `where` names the endpoint."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, FileNotFoundError, NotImplementedError) as error:
        # Not `from error`: its text repeats what the server sent, which may hold the id of the key.
        raise _translation(place, where, error) from None


def _translation(place: S3Place, where: str, error: Exception) -> StorageError:
    from obstore.exceptions import InvalidPathError

    text = str(error)
    found = _CODE.search(text)
    code = found[1] if found else ""
    if isinstance(error, FileNotFoundError) or code in {"NoSuchKey", "NoSuchBucket"}:
        if code == "NoSuchBucket":
            return NotStoredError(f"there is no bucket {place.bucket} at {where}")
        return NotStoredError(f"there is no object {place.url} at {where}")
    if isinstance(error, InvalidPathError | NotImplementedError):
        return StorageRefusedError(f"{place.url} is not an address that S3 can store")
    return _by_status(place, where, code, text)


def _by_status(place: S3Place, where: str, code: str, text: str) -> StorageError:
    """Tell what the server refused from what it could not do just now."""
    found = _STATUS.search(text)
    status = int(found[1]) if found else 0
    if status in {401, 403} or code in _OF_KEYS:
        keys = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may do"
        return StorageRefusedError(f"{where} refuses access to {place.url} ({code or status}): {keys}")
    if "incorrectly configured region" in text:
        return StorageRefusedError(f"{where} has bucket {place.bucket} in another region: check AWS_REGION")
    if 400 <= status < 500 and status not in {408, 429}:
        return StorageRefusedError(f"{where} refuses {place.url} ({code or status})")
    if not status and _UNSENT.search(text):
        return StorageUnavailableError(f"{where} does not answer: check AWS_ENDPOINT_URL, and that it can be reached")
    return StorageUnavailableError(f"{where} could not serve {place.url} just now ({code or status or 'broken off'})")
