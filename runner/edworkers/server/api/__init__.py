"""The HTTP API, below `/v1`."""
