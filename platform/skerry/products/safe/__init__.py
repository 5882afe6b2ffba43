"""SAFE products: a single engine reads and writes them by the mapping files in ``sensors/``."""
