"""At most one published and one preliminary version an item; what a rerun hid is shown again.

Until here a preliminary version superseded the version published before it. Nothing but a job
that asks for review made preliminary versions, so every other version had been published.
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_HIDDEN = """
    SELECT key, document, begins, ends FROM items AS hidden
    WHERE status = 'superseded' AND {was_published} AND version = (
        SELECT max(version) FROM items AS earlier
        WHERE earlier.collection = hidden.collection AND earlier.id = hidden.id
        AND earlier.status = 'superseded' AND {earlier_was_published}
    ) AND EXISTS (
        SELECT 1 FROM items AS shown
        WHERE shown.collection = hidden.collection AND shown.id = hidden.id
        AND shown.status = 'preliminary'
    )
"""
_WAS_PUBLISHED = (
    "({name}.run IS NULL OR EXISTS"
    " (SELECT 1 FROM runs WHERE runs.id = {name}.run AND runs.review = 'none'))"
)
_HOUR_US = 3_600_000_000


def upgrade() -> None:
    """Publish again what a preliminary rerun superseded, and hold the rule with two indexes."""
    op.drop_index("ix_items_current", "items")
    connection = op.get_bind()
    query = _HIDDEN.format(
        was_published=_WAS_PUBLISHED.format(name="hidden"),
        earlier_was_published=_WAS_PUBLISHED.format(name="earlier"),
    )
    for row in connection.execute(sa.text(query)).all():
        connection.execute(
            sa.text("UPDATE items SET status = 'published' WHERE key = :key"), {"key": row.key}
        )
        _index_again(connection, row)
    for status in ("published", "preliminary"):
        op.create_index(
            f"ix_items_{status}", "items", ["id", "collection"], unique=True,
            sqlite_where=sa.text(f"status = '{status}'"),
            postgresql_where=sa.text(f"status = '{status}'"),
        )  # fmt: skip
    op.create_index("ix_items_by_id", "items", ["id", "collection"])


def _index_again(connection: sa.Connection, row: Any) -> None:
    """Put the boxes of an item, one on each side of the antimeridian, back into the R*Tree."""
    document = json.loads(row.document)
    places = list(_list_places((document.get("geometry") or {}).get("coordinates")))
    bbox = document.get("bbox") or [0, 0, 0, 0]
    crossing = bbox[0] > bbox[len(bbox) // 2]
    sides = [[item for item in places if item[0] >= 0], [item for item in places if item[0] < 0]]
    for side, some in enumerate(sides if crossing else [places, []]):
        if some:
            values = {
                "id": 2 * row.key + side, "item": row.key,
                "west": min(item[0] for item in some), "east": max(item[0] for item in some),
                "south": min(item[1] for item in some), "north": max(item[1] for item in some),
                "first": row.begins / _HOUR_US, "last": row.ends / _HOUR_US,
            }  # fmt: skip
            connection.execute(
                sa.text(
                    "INSERT INTO items_index (id, west, east, south, north, first_hour, last_hour,"
                    " item) VALUES (:id, :west, :east, :south, :north, :first, :last, :item)"
                ),
                values,
            )


def _list_places(coordinates: Any) -> Iterator[tuple[float, float]]:
    """Return longitude and latitude of every position of GeoJSON coordinates."""
    if not isinstance(coordinates, list) or not coordinates:
        return
    if isinstance(coordinates[0], list):
        for item in coordinates:
            yield from _list_places(item)
    else:
        yield coordinates[0], coordinates[1]
