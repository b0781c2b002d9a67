"""One kind of work a file."""
