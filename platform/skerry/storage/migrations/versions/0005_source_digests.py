"""Imports have two digests: of their source, and of their bytes.

Until here ``skerry:digest`` of an import was the digest of its source. It becomes
``skerry:source_digest``; ``skerry:digest`` becomes the checksum of the product's bytes, which the
item has since it was made.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give every import both digests."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text("SELECT key, document FROM items WHERE prefix LIKE 'imports/%'")
    ).all()
    for row in rows:
        document = json.loads(row.document)
        properties = document["properties"]
        checksum = document["assets"].get("product", {}).get("file:checksum")
        if "skerry:source_digest" in properties or checksum is None:
            continue
        properties["skerry:source_digest"] = properties["skerry:digest"]
        properties["skerry:digest"] = checksum
        connection.execute(
            sa.text("UPDATE items SET document = :document, digest = :digest WHERE key = :key"),
            {"document": json.dumps(document), "digest": checksum, "key": row.key},
        )
