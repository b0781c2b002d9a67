"""The queue and its limits on Redis lists, hashes and sorted sets."""
