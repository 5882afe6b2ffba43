"""Storage: the data folder's layout, the database engine, objects and grants."""
