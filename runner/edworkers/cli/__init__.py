"""The command line: `edworkers COMMAND`."""
