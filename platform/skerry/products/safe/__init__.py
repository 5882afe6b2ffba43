"""SAFE products: one engine reads and writes what the mapping files in ``sensors/`` say."""
