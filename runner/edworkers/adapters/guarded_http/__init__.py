"""HTTP to addresses that strangers name: each is checked after it was resolved, and connected to as it was checked."""

from edworkers.adapters.guarded_http.client import make_client, make_transport
from edworkers.adapters.guarded_http.settings import find_faults

__all__ = ["find_faults", "make_client", "make_transport"]
