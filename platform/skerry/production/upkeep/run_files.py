"""Files of ended runs that are past their time: logs, notebooks, products never published.

If an item has a product of an attempt, the attempt's whole folder stays: the log and the notebook
tell how the product was made.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, and_, exists, func, select

from skerry.catalog.deletions import overlaps
from skerry.catalog.tables import items
from skerry.core.time import count_microseconds, utc_now
from skerry.core.worker_settings import UpkeepSettings
from skerry.models.upkeep import Kind
from skerry.production.runs import ACTIVE
from skerry.production.tables import jobs, runs
from skerry.production.upkeep.removable import Removable, weigh_prefix
from skerry.storage.database import reading
from skerry.storage.homes import HOMES
from skerry.storage.objects import Objects
from skerry.storage.run_folder import RunFolder, list_run_folders
from skerry.storage.tables import grants

_BATCH = 200


def list_run_files(
    engine: Engine, objects: Objects, settings: UpkeepSettings, now: datetime
) -> Iterator[Removable]:
    """List the folders of attempts that can go.

    The newest ended run of each job stays, whatever its age. A retried run gets a new attempt
    with a folder of its own, so what is listed here never grows again.
    """
    batch: list[RunFolder] = []
    with reading(engine) as connection:
        past = _find_past(connection, settings, now)
    for folder in list_run_folders(objects):
        if folder.epoch <= past.get(folder.run, 0):
            batch.append(folder)
        if len(batch) == _BATCH:
            yield from _weigh(engine, batch)
            batch = []
    yield from _weigh(engine, batch)


def _find_past(connection: Connection, settings: UpkeepSettings, now: datetime) -> dict[str, int]:
    """Return the runs that are past their time, with their newest epoch."""
    place = func.row_number().over(
        partition_by=runs.c.job_id, order_by=(runs.c.ended_at.desc(), runs.c.id.desc())
    )
    query = (
        select(
            runs.c.id, runs.c.epoch, runs.c.ended_at, jobs.c.keep_days, jobs.c.keep_count,
            jobs.c.id.label("job"), place.label("place"),
        )
        .join(jobs, jobs.c.id == runs.c.job_id, isouter=True)
        .where(runs.c.status.not_in(ACTIVE), runs.c.epoch > 0)
    )  # fmt: skip
    return {row.id: row.epoch for row in connection.execute(query) if _is_past(row, settings, now)}


def _is_past(row: Any, settings: UpkeepSettings, now: datetime) -> bool:
    if row.place == 1 and row.job is not None:
        return False
    days = settings.run_days if row.keep_days is None else row.keep_days
    count = settings.runs if row.keep_count is None else row.keep_count
    return bool(row.ended_at < now - timedelta(days=days) or (count and row.place > count))


def _weigh(engine: Engine, folders: list[RunFolder]) -> list[Removable]:
    with reading(engine) as connection:
        free = [folder for folder in folders if not _is_named(connection, folder)]
    return [weigh_prefix(Kind.RUN, folder.objects, folder.prefix) for folder in free]


def _is_named(connection: Connection, folder: RunFolder) -> bool:
    """Return whether an item or a grant that is valid names bytes of an attempt."""
    attempt = and_(
        grants.c.run == folder.run, grants.c.epoch == folder.epoch,
        grants.c.expires > count_microseconds(utc_now()),
    )  # fmt: skip
    product = overlaps(items, folder.prefix) | overlaps(items, HOMES + folder.prefix)
    named = exists().where(product) | exists().where(attempt)
    return bool(connection.execute(select(named)).scalar())
