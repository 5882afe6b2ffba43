"""Alembic's scripts: one schema for all rooms with state."""
