"""Databases of either kind, and what tests of budgets start."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.databases import connection, data, engine

from skerry.budgets.amounts import Size
from skerry.budgets.ledger import Start

__all__ = ["connection", "data", "engine"]

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SMALL = Size.of(2, 4 << 30)


def make_start(thing: str = "server/ann/", **changes: Any) -> Start:
    """Return the start of a small server of Ann for four hours, with changes."""
    facts = {
        "id": f"{thing}1", "thing": thing, "kind": "server", "size": SMALL, "wanted_s": 4 * 3600,
        "least_s": 3600, "person": "person:ann",
    }  # fmt: skip
    return Start(**(facts | changes))
