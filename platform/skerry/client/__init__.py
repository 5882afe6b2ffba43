"""Access to the platform over HTTP, for notebooks, the command line and pipelines."""
