"""Names of people in shares are in small letters, as the hub writes them.

A share of ``person:Ada`` opened nothing to anybody. It becomes the share of ``person:ada``, unless
she has one already.
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_THINGS = {"shares": "collection", "release_shares": "release", "job_shares": "job"}


def upgrade() -> None:
    """Remove the shares that would be there twice, and write the others in small letters."""
    for table, thing in _THINGS.items():
        odd = "holder LIKE 'person:%' AND holder <> lower(holder)"
        same = f"other.{thing} = {table}.{thing} AND lower(other.holder) = lower({table}.holder)"
        op.execute(
            f"DELETE FROM {table} WHERE {odd} AND EXISTS (SELECT 1 FROM {table} AS other"  # noqa: S608
            f" WHERE {same} AND (other.holder = lower({table}.holder)"
            f" OR other.holder > {table}.holder))"
        )
        op.execute(f"UPDATE {table} SET holder = lower(holder) WHERE {odd}")  # noqa: S608
