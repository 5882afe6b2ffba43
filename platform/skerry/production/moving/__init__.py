"""Taking a stopped platform to another database and another object store."""
