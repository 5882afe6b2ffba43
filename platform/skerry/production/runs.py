"""Runs: the work for one (job, occurrence, partition), and what people can do with them.

A run exists as soon as its row is committed; the worker's reconciler finds it from there.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    Connection,
    RowMapping,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from skerry.core.errors import ConflictError
from skerry.core.ids import new_id
from skerry.core.ownership import KEEPER
from skerry.core.request_ids import new_identifier
from skerry.core.time import parse_day, utc_now
from skerry.models.runs import RunDetails, RunStatus
from skerry.production.expressions import Occasion, fill_expressions
from skerry.production.jobs import find_job
from skerry.production.occurrences import check_partition, find_tick
from skerry.production.releases import get_approved, get_release
from skerry.production.run_history import find_run, get_run
from skerry.production.spending import reserve_run, settle_runs
from skerry.production.tables import runs
from skerry.production.values import complete_values
from skerry.storage.recording import name_request

ACTIVE = (RunStatus.QUEUED, RunStatus.RUNNING)


def start_run(
    connection: Connection,
    job_name: str,
    *,
    occurrence: str,
    parameters: dict[str, Any],
    by: str,
    partition: str = "",
    data_day: date | None = None,
) -> tuple[RunDetails, bool]:
    """Record a run, only once for each key.

    Parameters
    ----------
    occurrence
        A key made by `occurrences`.
    parameters
        Values that replace the job's own; their expressions are filled.
    by
        Who starts it: a person, or ``clock``.
    data_day
        The day of the data; taken from the occurrence when None.

    Returns
    -------
    RunDetails, bool
        The run, and whether it is new.

    Raises
    ------
    InvalidInputError
        If a parameter does not fit the release's schema, or an expression cannot be read.
    ConflictError
        If the release is not approved, or the key belongs to a run with other parameters or
        another data day.
    BudgetSpentError
        If the budget of its owner has not enough left.
    """
    job = find_job(connection, job_name, viewer=KEEPER)
    release = get_approved(connection, job["release_id"])
    values = _new_row(job, occurrence, check_partition(partition), data_day, by)

    def complete(day: str, created: datetime) -> dict[str, Any]:
        occasion = Occasion(parse_day(day), find_tick(occurrence) or created)
        filled = fill_expressions({**job["parameters"], **parameters}, occasion)
        return complete_values(release.schema_, filled)

    values["parameters"] = complete(values["data_day"], values["created_at"])
    try:
        with connection.begin_nested():
            request = name_request(connection) or new_identifier()
            row = insert(runs).values(**values, request=request, status="queued")
            connection.execute(row)
            reserve_run(connection, values)
    except IntegrityError:
        return _get_same(connection, values, complete, data_day), False
    return get_run(connection, values["id"]), True


def record_unstarted(
    connection: Connection, job_name: str, occurrence: str, *, status: str, detail: str
) -> None:
    """Record a clock's tick that started no work, so that the history shows it.

    Parameters
    ----------
    status
        ``passed`` for a tick that was passed over, ``failed`` for one that could not be started.
    detail
        The reason.
    """
    job = find_job(connection, job_name, viewer=KEEPER)
    values = _new_row(job, occurrence, "", None, "clock")
    with suppress(IntegrityError), connection.begin_nested():  # its run exists already
        connection.execute(
            insert(runs).values(
                **values, status=status, detail=detail, ended_at=values["created_at"]
            )
        )


def find_data_day(job: RowMapping, tick: datetime | None, now: datetime) -> date:
    """Return the day of a clock's tick in the clock's time zone; without a tick, today in UTC."""
    if tick is None:
        return now.date()
    return tick.astimezone(ZoneInfo(job["timezone"] or "UTC")).date()


def _new_row(
    job: RowMapping, occurrence: str, partition: str, data_day: date | None, by: str
) -> dict[str, Any]:
    now = utc_now()
    tick = find_tick(occurrence)
    day = data_day or find_data_day(job, tick, now)
    return {
        "id": new_id(),
        "job_id": job["id"],
        "job_name": job["name"],
        "release_id": job["release_id"],
        "occurrence": occurrence,
        "partition": partition,
        "data_day": day.isoformat(),
        "parameters": fill_expressions(job["parameters"], Occasion(day, tick or now)),
        "collection": job["collection"],
        "review": job["review"],
        "timeout_s": job["timeout_s"],
        "retries": job["retries"],
        "generation": 0,
        "epoch": 0,
        "cancel_requested": False,
        "progress_done": 0,
        "progress_total": 0,
        "owner": job["owner"],
        "created_by": by,
        "created_at": now,
    }


def _get_same(
    connection: Connection,
    values: dict[str, Any],
    complete: Callable[[str, datetime], dict[str, Any]],
    data_day: date | None,
) -> RunDetails:
    key = ("job_id", "occurrence", "partition")
    query = select(runs.c.id, runs.c.parameters, runs.c.data_day, runs.c.created_at).where(
        *(runs.c[column] == values[column] for column in key)
    )
    row = connection.execute(query).one()
    if row.parameters != complete(row.data_day, row.created_at):
        raise ConflictError(
            f"The key {values['occurrence']!r} belongs to the run {row.id} with other parameters.",
            remedy="Use another idempotency key, or the same parameters.",
        )
    if data_day is not None and row.data_day != data_day.isoformat():
        raise ConflictError(
            f"The key {values['occurrence']!r} belongs to the run {row.id} of the data day "
            f"{row.data_day}, not {data_day}.",
            remedy="Use another idempotency key, or the same day.",
        )
    return get_run(connection, row.id)


def cancel_run(connection: Connection, run_id: str) -> RunDetails:
    """Cancel a run: at once if it is queued; if it is running, ask its attempt to end.

    Raises
    ------
    ConflictError
        If it has ended already.
    """
    row = find_run(connection, run_id, viewer=KEEPER)
    now = utc_now()
    waiting = connection.execute(
        update(runs)
        .where(runs.c.id == row["id"], runs.c.status == "queued")
        .values(status="cancelled", cancel_requested=True, ended_at=now, detail="Cancelled.")
    )
    result = connection.execute(
        update(runs)
        .where(runs.c.id == row["id"], runs.c.status == "running")
        .values(cancel_requested=True)
    )
    if waiting.rowcount + result.rowcount != 1:
        raise ConflictError(
            f"The run {row['id']} has ended already: {row['status']}.",
            remedy="Only queued and running runs can be cancelled.",
        )
    return get_run(connection, row["id"])


def retry_run(connection: Connection, run_id: str) -> RunDetails:
    """Queue a failed, cancelled or passed run, under the same key.

    Raises
    ------
    ConflictError
        If it succeeded or has not ended.
    InvalidInputError
        If its parameters do not fit the release's schema: its tick could not be started for that.
    BudgetSpentError
        If the budget of its owner has not enough left.
    """
    row = find_run(connection, run_id, viewer=KEEPER)
    release = get_release(connection, row["release_id"])
    parameters = complete_values(release.schema_, row["parameters"])
    settle_runs(connection)  # while it still counts as ended
    changed = connection.execute(
        update(runs)
        .where(runs.c.id == row["id"], runs.c.status.in_(["failed", "cancelled", "passed"]))
        .values(
            status="queued",
            generation=runs.c.generation + 1,
            parameters=parameters,
            cancel_requested=False,
            ended_at=None,
            detail=None,
            progress_done=0,
            progress_cell=None,
        )
    )
    if changed.rowcount != 1:
        raise ConflictError(
            f"The run {row['id']} is {row['status']}.",
            remedy="Only failed, cancelled and passed runs can be retried.",
        )
    reserve_run(connection, find_run(connection, row["id"], viewer=KEEPER))
    return get_run(connection, row["id"])
