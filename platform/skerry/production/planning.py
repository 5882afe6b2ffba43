"""What a job will do next: its coming ticks, with the day and the parameters of each run."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, RowMapping

from skerry.core.ownership import KEEPER
from skerry.core.time import utc_now
from skerry.models.jobs import PlannedRun
from skerry.production.clock import next_tick
from skerry.production.expressions import Occasion, fill_expressions
from skerry.production.jobs import find_job
from skerry.production.releases import get_approved
from skerry.production.runs import find_data_day
from skerry.production.values import complete_values


def plan_runs(connection: Connection, job_name: str, *, count: int) -> list[PlannedRun]:
    """Return the next runs of a job's clock, the earliest first.

    A job without a clock has one: the run that would start by hand now.

    Raises
    ------
    ConflictError
        If the job's release is not approved.
    InvalidInputError
        If a parameter does not fit the release's schema.
    """
    job = find_job(connection, job_name, viewer=KEEPER)
    schema = get_approved(connection, job["release_id"]).schema_
    now = utc_now()
    planned = []
    for tick in islice(_list_ticks(job, now), count):
        day = find_data_day(job, tick, now)
        filled = fill_expressions(job["parameters"], Occasion(day, tick or now))
        parameters = complete_values(schema, filled)
        planned.append(PlannedRun(tick=tick, data_day=day, parameters=parameters))
    return planned


def _list_ticks(job: RowMapping, now: datetime) -> Iterator[datetime | None]:
    if job["trigger"] != "clock":
        yield None
        return
    tick = now
    while True:
        tick = next_tick(job["cron"], job["timezone"], tick)
        yield tick
