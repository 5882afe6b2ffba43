"""PostgreSQL's index of boxes and hours goes by months first, so that a search reads few pages."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index anew; SQLite's R*Tree stays as it is."""
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute("DROP INDEX ix_items_index_place")
    months = _write_range("first_hour / 720", "last_hour / 720")
    place = "box(point(west, south), point(east, north))"
    hours = _write_range("first_hour", "last_hour")
    op.execute(
        f"CREATE INDEX ix_items_index_place ON items_index USING gist ({months}, {place}, {hours})"
    )


def _write_range(first: str, last: str) -> str:
    return f"int4range(CAST(floor({first}) AS integer), CAST(floor({last}) AS integer), '[]')"
