"""The command line: thin commands over the supervisor, the client and the pipelines."""
