"""Occurrence keys: what started a run. With job and partition they are a run's unique key."""

from datetime import datetime

from skerry.core.errors import InvalidInputError
from skerry.core.ids import check_name, new_id
from skerry.core.time import format_time, parse_time


def key_for_tick(tick: datetime) -> str:
    """Return the key of a clock's tick: ``clock/<UTC>``."""
    return f"clock/{format_time(tick)}"


def key_for_request(idempotency_key: str | None) -> str:
    """Return the key of a start by hand: ``manual/<client's key>``, else a new one."""
    if idempotency_key is None:
        return f"manual/{new_id()}"
    return f"manual/{check_name(idempotency_key, what='idempotency key')}"


def find_tick(occurrence: str) -> datetime | None:
    """Return the tick of a clock's key, None for another key."""
    kind, _, moment = occurrence.partition("/")
    return parse_time(moment) if kind == "clock" else None


def check_partition(partition: str) -> str:
    """Return a partition's name if an item id may contain it; an empty name means the whole."""
    if partition == "":
        return partition
    if len(partition) > 60:  # noqa: PLR2004 - leaves room in an item id of 120 characters
        raise InvalidInputError(
            f"The partition {partition[:80]!r} is too long.", remedy="Use at most 60 characters."
        )
    return check_name(partition, what="partition")
