"""Runs: the work for one (job, occurrence, partition), and what people can do with them.

A run exists as soon as its row is committed; the worker's reconciler finds it from there.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    false,
    func,
    insert,
    select,
    union_all,
    update,
)
from sqlalchemy.exc import IntegrityError

from skerry.core.errors import ConflictError, InvalidInputError, NotFoundError
from skerry.core.ids import new_id
from skerry.core.ownership import KEEPER, Viewer
from skerry.core.request_ids import new_identifier
from skerry.core.time import parse_day, utc_now
from skerry.models.runs import Attempt, Output, Progress, Run, RunDetails, RunStatus
from skerry.production.jobs import find_job
from skerry.production.occurrences import check_partition, find_tick
from skerry.production.placeholders import fill_placeholders
from skerry.production.releases import get_approved, get_release
from skerry.production.sight import is_visible
from skerry.production.tables import attempts, outputs, releases, runs
from skerry.production.values import complete_values
from skerry.storage.recording import name_request

ACTIVE = (RunStatus.QUEUED, RunStatus.RUNNING)
_LIMIT = 1000


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
        Values that replace the job's own; their placeholders are filled.
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
        If a parameter does not fit the release's schema.
    ConflictError
        If the release is not approved, or the key belongs to a run with other parameters or
        another data day.
    """
    job = find_job(connection, job_name, viewer=KEEPER)
    release = get_approved(connection, job["release_id"])
    values = _new_row(job, occurrence, check_partition(partition), data_day, by)

    def complete(day: str, created: datetime) -> dict[str, Any]:
        filled = fill_placeholders(
            {**job["parameters"], **parameters},
            data_day=parse_day(day),
            tick=find_tick(occurrence) or created,
        )
        return complete_values(release.schema_, filled)

    values["parameters"] = complete(values["data_day"], values["created_at"])
    try:
        with connection.begin_nested():
            request = name_request(connection) or new_identifier()
            row = insert(runs).values(**values, request=request, status="queued")
            connection.execute(row)
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


def _find_data_day(job: RowMapping, occurrence: str, now: datetime) -> date:
    """Return the day of a clock's tick in the clock's time zone, else today in UTC."""
    tick = find_tick(occurrence)
    if tick is None or job["timezone"] is None:
        return (tick or now).date()
    return tick.astimezone(ZoneInfo(job["timezone"])).date()


def _new_row(
    job: RowMapping, occurrence: str, partition: str, data_day: date | None, by: str
) -> dict[str, Any]:
    now = utc_now()
    day = data_day or _find_data_day(job, occurrence, now)
    tick = find_tick(occurrence) or now
    return {
        "id": new_id(),
        "job_id": job["id"],
        "job_name": job["name"],
        "release_id": job["release_id"],
        "occurrence": occurrence,
        "partition": partition,
        "data_day": day.isoformat(),
        "parameters": fill_placeholders(job["parameters"], data_day=day, tick=tick),
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


def find_run(connection: Connection, run_id: str, *, viewer: Viewer) -> RowMapping:
    """Return a run's row with its release's name, by id or by a beginning that only it has.

    Raises
    ------
    NotFoundError
        If there is none that the viewer may see.
    InvalidInputError
        If several that they may see begin so.
    """
    matching = (
        runs.c.id == run_id
        if len(run_id) == len(new_id())
        else runs.c.id.startswith(run_id, autoescape=True)
    )
    query = _query().where(matching, is_visible(viewer, runs)).limit(2)
    rows = connection.execute(query).mappings().all()
    if not rows or not run_id:
        raise NotFoundError(f"There is no run {run_id!r}.", remedy="'skerry run list' shows them.")
    if len(rows) > 1:
        raise InvalidInputError(
            f"Several runs begin with {run_id!r}.", remedy="Give more characters of the id."
        )
    return rows[0]


def get_run(connection: Connection, run_id: str) -> RunDetails:
    """Return a run with its attempts and outputs."""
    return read_run(connection, find_run(connection, run_id, viewer=KEEPER))


def read_run(connection: Connection, row: RowMapping) -> RunDetails:
    """Return the run of a row of `find_run`, with its attempts and outputs."""
    tried = select(attempts).where(attempts.c.run_id == row["id"]).order_by(attempts.c.epoch)
    query = select(outputs).where(outputs.c.run_id == row["id"]).order_by(outputs.c.output)
    return RunDetails(
        **_gather_facts(row),
        attempts=[_read_attempt(item) for item in connection.execute(tried).mappings()],
        outputs=[_read_output(item) for item in connection.execute(query).mappings()],
    )


def list_runs(
    connection: Connection,
    *,
    viewer: Viewer,
    job: str | None = None,
    status: RunStatus | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Run]:
    """Return runs, newest first, with their outputs and without their attempts.

    Parameters
    ----------
    viewer
        Only runs that they may see.
    before
        Only runs older than the run with this id, the last of the page before.
    """
    conditions = [] if before is None else [runs.c.id < before]
    if job is not None:
        _check_job(connection, job, viewer)
        conditions.append(runs.c.job_name == job)
    if status is not None:
        conditions.append(runs.c.status == status)
    most = min(limit, _LIMIT)
    query = _query().where(*conditions)
    if not viewer.is_keeper:
        query = _query().where(runs.c.id.in_(_select_newest(viewer, conditions, most)))
    query = query.order_by(runs.c.id.desc()).limit(most)
    rows = connection.execute(query).mappings().all()
    outputs_query = select(outputs).where(outputs.c.run_id.in_([row["id"] for row in rows]))
    products: dict[str, list[Output]] = {row["id"]: [] for row in rows}
    for item in connection.execute(outputs_query.order_by(outputs.c.output)).mappings():
        products[item["run_id"]].append(_read_output(item))
    return [Run(**_gather_facts(row), outputs=products[row["id"]]) for row in rows]


def _select_newest(
    viewer: Viewer, conditions: list[ColumnElement[bool]], most: int
) -> Select[tuple[str]]:
    """Return the query for the newest runs of each owner for whom a viewer speaks.

    An index has the runs of each owner in this order: who has few runs does not wait for the many
    runs of others.
    """
    newest = [
        select(runs.c.id)
        .where(runs.c.owner == owner, *conditions)
        .order_by(runs.c.id.desc())
        .limit(most)
        .subquery()
        for owner in sorted(viewer.owners)
    ]
    if not newest:
        return select(runs.c.id).where(false())
    return select(union_all(*(select(part.c.id) for part in newest)).subquery().c.id)


def count_runs(
    connection: Connection, *, viewer: Viewer, job: str | None = None
) -> dict[RunStatus, int]:
    """Return how many runs have each status, of all jobs that the viewer may see or of one."""
    query = select(runs.c.status, func.count()).group_by(runs.c.status)
    query = query.where(is_visible(viewer, runs))
    if job is not None:
        query = query.where(runs.c.job_name == job)
    counted = {row[0]: row[1] for row in connection.execute(query)}
    return {status: counted.get(status, 0) for status in RunStatus}


def _check_job(connection: Connection, name: str, viewer: Viewer) -> None:
    """Refuse the name of a job that never existed; the history of a deleted job remains."""
    query = select(runs.c.id).where(runs.c.job_name == name, is_visible(viewer, runs)).limit(1)
    if not connection.scalar(query):
        find_job(connection, name, viewer=viewer)


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
    """
    row = find_run(connection, run_id, viewer=KEEPER)
    release = get_release(connection, row["release_id"])
    parameters = complete_values(release.schema_, row["parameters"])
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
    return get_run(connection, row["id"])


def _gather_facts(row: RowMapping) -> dict[str, Any]:
    return {
        "id": row["id"],
        "job": row["job_name"],
        "release": row["release_id"],
        "release_name": row["release_name"],
        "self_approved": row["self_approved"],
        "occurrence": row["occurrence"],
        "data_day": row["data_day"],
        "partition": row["partition"],
        "parameters": row["parameters"],
        "collection": row["collection"],
        "status": row["status"],
        "cancel_requested": row["cancel_requested"],
        "epoch": row["epoch"],
        "progress": Progress(
            done=row["progress_done"], total=row["progress_total"], cell=row["progress_cell"]
        ),
        "detail": row["detail"],
        "owner": row["owner"],
        "created_by": row["created_by"],
        "created": row["created_at"],
        "started": row["started_at"],
        "ended": row["ended_at"],
    }


def _query() -> Any:
    return select(runs, releases.c.name.label("release_name"), releases.c.self_approved).join(
        releases, releases.c.id == runs.c.release_id
    )


def _read_attempt(row: RowMapping) -> Attempt:
    return Attempt(
        epoch=row["epoch"],
        status=row["status"],
        adopted_epoch=row["adopted_epoch"],
        detail=row["detail"],
        started=row["started_at"],
        ended=row["ended_at"],
    )


def _read_output(row: RowMapping) -> Output:
    return Output(
        output=row["output"],
        collection=row["collection"],
        item=row["item_id"],
        digest=row["digest"],
        epoch=row["epoch"],
        published=row["published_at"],
    )
