"""The history of runs: one run with its attempts and outputs, or a page of them."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, false, select, union_all

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.core.ids import new_id
from skerry.core.ownership import KEEPER, Viewer
from skerry.models.runs import Attempt, Output, Progress, Run, RunDetails, RunStatus
from skerry.production.jobs import find_job
from skerry.production.showing import Presenter
from skerry.production.sight import divide_runs, sees_run
from skerry.production.tables import attempts, outputs, releases, runs

_LIMIT = 1000


def find_run(connection: Connection, run_id: str, *, viewer: Viewer) -> RowMapping:
    """Return a run's row with its release's name, by its id or by the first characters of it.

    Raises
    ------
    NotFoundError
        If there is none that the viewer may see.
    InvalidInputError
        If several runs that they may see begin with these characters.
    """
    has_id = (
        runs.c.id == run_id
        if len(run_id) == len(new_id())
        else runs.c.id.startswith(run_id, autoescape=True)
    )
    query = _query().where(has_id, sees_run(connection, viewer)).limit(2)
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
    by_epoch = select(attempts).where(attempts.c.run_id == row["id"]).order_by(attempts.c.epoch)
    by_name = select(outputs).where(outputs.c.run_id == row["id"]).order_by(outputs.c.output)
    return RunDetails(
        **_gather_facts(row),
        attempts=[_read_attempt(item) for item in connection.execute(by_epoch).mappings()],
        outputs=[_read_output(item) for item in connection.execute(by_name).mappings()],
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
        query = _query().where(runs.c.id.in_(_select_newest(connection, viewer, conditions, most)))
    query = query.order_by(runs.c.id.desc()).limit(most)
    rows = connection.execute(query).mappings().all()
    outputs_query = select(outputs).where(outputs.c.run_id.in_([row["id"] for row in rows]))
    products: dict[str, list[Output]] = {row["id"]: [] for row in rows}
    for item in connection.execute(outputs_query.order_by(outputs.c.output)).mappings():
        products[item["run_id"]].append(_read_output(item))
    presenter = Presenter(connection, viewer)
    return [
        presenter.show_run(Run(**_gather_facts(row), outputs=products[row["id"]])) for row in rows
    ]


def _select_newest(
    connection: Connection, viewer: Viewer, conditions: list[ColumnElement[bool]], most: int
) -> Select[tuple[str]]:
    """Return the query for the newest runs of each owner for whom a viewer speaks, and of others.

    The index over owners has their runs in this order.
    """
    newest = [
        select(runs.c.id).where(part, *conditions).order_by(runs.c.id.desc()).limit(most).subquery()
        for part in divide_runs(connection, viewer)
    ]
    if not newest:
        return select(runs.c.id).where(false())
    return select(union_all(*(select(part.c.id) for part in newest)).subquery().c.id)


def _check_job(connection: Connection, name: str, viewer: Viewer) -> None:
    """Refuse the name of a job that never existed; the history of a deleted job remains."""
    query = select(runs.c.id).where(runs.c.job_name == name, sees_run(connection, viewer)).limit(1)
    if not connection.scalar(query):
        find_job(connection, name, viewer=viewer)


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
