"""Objects in S3-compatible storage and in one folder, read and written as streams."""

from edworkers.adapters.storage.open import open_store
from edworkers.adapters.storage.places import FilePlace, S3Place, place_of
from edworkers.adapters.storage.settings import find_faults
from edworkers.adapters.storage.store import Store, Stored
from edworkers.adapters.storage.streams import Measured, read_file

__all__ = [
    "FilePlace",
    "Measured",
    "S3Place",
    "Store",
    "Stored",
    "find_faults",
    "open_store",
    "place_of",
    "read_file",
]
