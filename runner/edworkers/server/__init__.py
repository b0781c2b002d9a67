"""The HTTP API and the dashboard; it works with ports and is given them in a `Platform`."""
