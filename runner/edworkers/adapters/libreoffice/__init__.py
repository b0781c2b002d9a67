"""LibreOffice without a window: one program and one fresh profile for each document, and no network for either."""

from edworkers.adapters.libreoffice.convert import convert
from edworkers.adapters.libreoffice.errors import NotConvertedError
from edworkers.adapters.libreoffice.program import find_faults

__all__ = ["NotConvertedError", "convert", "find_faults"]
