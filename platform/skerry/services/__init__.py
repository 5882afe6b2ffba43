"""Programs that answer over HTTP, and the worker: thin faces of the rooms below."""
