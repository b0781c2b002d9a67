"""Servers that tests start: each is the real thing."""
