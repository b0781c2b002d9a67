"""Background jobs on Redis lists: push JSON, get the answer."""
