"""Which version of edworkers this is."""

from importlib.metadata import PackageNotFoundError, version

UNKNOWN = "unknown"


def own_version(package: str = "edworkers") -> str:
    """Give the version that is installed; `unknown` where the code runs without being installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return UNKNOWN
