"""What a server is made of, and how to get it."""

from edworkers.core.errors import SettingsError
from edworkers.handlers.environment import not_installed

_PACKAGES = ("cronsim", "fastapi", "httptools", "httpx2", "itsdangerous", "jinja2", "joserfc", "uvicorn")


def check_server_packages() -> None:
    """Refuse to start without the packages of the extra `server`. Raises SettingsError."""
    missing = not_installed("server", *_PACKAGES)
    if missing:
        raise SettingsError("nothing was started, for packages are missing:", missing)
