"""What processes tell Prometheus, collected when it asks."""
