"""Databases of either kind."""

from tests.databases import connection, data, engine

__all__ = ["connection", "data", "engine"]
