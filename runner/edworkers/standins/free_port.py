"""Ports of loopback for servers that are started here."""

import socket


def free_port() -> int:
    """Find a port of loopback on which nothing listens now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
