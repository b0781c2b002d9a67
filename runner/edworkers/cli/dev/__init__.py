"""`edworkers dev`: everything on this machine."""
