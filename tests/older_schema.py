"""A database as an older Skerry left it."""

from alembic import command
from sqlalchemy import Engine

from skerry.storage import migrate
from skerry.storage.database import open_database


def open_at(url: str, revision: str) -> Engine:
    """Bring an empty database to a revision of the schema, and return it open."""
    config = migrate._configure()
    engine = open_database(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return engine
