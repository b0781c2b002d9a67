"""One suite that holds the queue in memory and the queue on Redis to the same meaning."""
