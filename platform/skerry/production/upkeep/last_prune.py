"""The record of the last prune, by which several workers do the daily prune once."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from skerry.core.time import utc_now
from skerry.models.upkeep import LastPrune, PruneReport
from skerry.production.tables import upkeep
from skerry.storage.database import reading

PERIOD = timedelta(days=1)
PATIENCE = timedelta(hours=6)
"""A prune that was begun so long ago and has not ended was killed: another may begin."""

_PRUNE = "prune"
_EXAMPLES = 10
_OWN = upkeep.c.task == _PRUNE


def claim_daily(engine: Engine, now: datetime) -> bool:
    """Return whether the daily prune is due and no other worker does it; then the caller does.

    On a platform that never pruned the first is due a day later.
    """
    with reading(engine) as connection:
        row = connection.execute(select(upkeep).where(_OWN)).mappings().first()
    if row is None:
        _insert(engine, begun_at=now, ended_at=now)
        return False
    begin, end = row["begun_at"], row["ended_at"]
    has_ended = end is not None and end >= begin
    if begin > now - (PERIOD if has_ended else PATIENCE):
        return False
    with engine.begin() as connection:
        claimed = connection.execute(
            update(upkeep).where(_OWN, upkeep.c.begun_at == begin).values(begun_at=now)
        )
    return claimed.rowcount == 1


def record_prune(engine: Engine, report: PruneReport) -> None:
    """Record the findings of a prune that ended now."""
    now = utc_now()
    sums = report.sum_up()
    last = LastPrune(
        ended=now, sums=sums, freed=report.size, unnamed=len(report.unnamed),
        unnamed_size=sum(entry.size for entry in report.unnamed), lost=len(report.lost),
        changed=len(report.changed),
        examples=[entry.name for entry in report.unnamed[:_EXAMPLES]]
        + [f"{lost.record}: {lost.prefix}" for lost in report.lost[:_EXAMPLES]]
        + [f"{changed.record}: {changed.prefix}" for changed in report.changed[:_EXAMPLES]],
    )  # fmt: skip
    values: dict[str, Any] = {"ended_at": now, "report": last.model_dump(mode="json")}
    with engine.begin() as connection:
        updated = connection.execute(update(upkeep).where(_OWN).values(values))
    if updated.rowcount == 0:
        _insert(engine, begun_at=now, **values)


def find_last_prune(connection: Connection) -> LastPrune | None:
    """Return the findings of the last prune, None if there was none."""
    report = connection.execute(select(upkeep.c.report).where(_OWN)).scalar()
    return None if report is None else LastPrune.model_validate(report)


def _insert(engine: Engine, **values: Any) -> None:
    try:
        with engine.begin() as connection:
            connection.execute(insert(upkeep).values(task=_PRUNE, **values))
    except IntegrityError:  # another worker was faster
        return
