"""Catalogue and grants."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of the catalogue and of storage."""
    _create_catalog()
    _create_index()
    op.create_table(
        "deletions",
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name="pk_deletions"),
    )
    op.create_table(
        "grants",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("run", sa.String()),
        sa.Column("epoch", sa.Integer()),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("mode IN ('read', 'write')", name="ck_grants_mode"),
        sa.PrimaryKeyConstraint("id", name="pk_grants"),
    )
    op.create_index("ix_grants_prefix", "grants", ["prefix"])
    op.create_index("ix_grants_expires", "grants", ["expires"])


def _create_index() -> None:
    """Make the index of boxes and hours: an R*Tree, on PostgreSQL a table with a GiST index."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE items_index USING rtree("
            "id, west, east, south, north, first_hour, last_hour, +item INTEGER)"
        )
        return
    op.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    sides: list[sa.Column[float]] = [
        sa.Column(name, sa.Double(), nullable=False)
        for name in ("west", "east", "south", "north", "first_hour", "last_hour")
    ]
    op.create_table(
        "items_index",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        *sides,
        sa.Column("item", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_items_index"),
    )
    op.execute(
        "CREATE INDEX ix_items_index_place ON items_index USING gist (ST_MakeLine("
        "ST_MakePoint(west, south, first_hour), ST_MakePoint(east, north, last_hour))"
        " gist_geometry_ops_nd)"
    )


def _create_catalog() -> None:
    op.create_table(
        "collections",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_collections"),
    )
    op.create_table(
        "items",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("collection", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("begins", sa.BigInteger(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.String()),
        sa.Column("output", sa.String()),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "status IN ('preliminary', 'published', 'superseded', 'withdrawn')",
            name="ck_items_status",
        ),
        sa.ForeignKeyConstraint(
            ["collection"], ["collections.id"], name="fk_items_collection_collections"
        ),
        sa.PrimaryKeyConstraint("key", name="pk_items"),
        sa.UniqueConstraint("collection", "id", "version", name="uq_items_collection_id_version"),
        sa.UniqueConstraint("run", "output", name="uq_items_run_output"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_items_current",
        "items",
        ["id", "collection"],
        unique=True,
        sqlite_where=sa.text("status <> 'superseded'"),
        postgresql_where=sa.text("status <> 'superseded'"),
    )
    op.create_index("ix_items_by_time", "items", ["begins", "key"])
    op.create_index("ix_items_by_collection_and_time", "items", ["collection", "begins", "key"])
    op.create_index("ix_items_prefix", "items", ["prefix"])
