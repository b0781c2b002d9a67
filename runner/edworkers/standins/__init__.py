"""Servers on loopback that take the place of services that are not configured."""
