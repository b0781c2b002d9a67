"""The Kubernetes cluster that the process runs in, as one that only reads."""
