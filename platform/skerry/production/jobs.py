"""Jobs: a release, parameters, a trigger and a policy under one name."""

from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from skerry.catalog.collections import check_sandbox, find_collection
from skerry.catalog.sharing import relate_collection
from skerry.core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from skerry.core.ids import check_name, new_id
from skerry.core.ownership import KEEPER, PLATFORM_OWNER, Verb, Viewer, act_for, decide
from skerry.core.time import utc_now
from skerry.models.jobs import ClockTrigger, Job, JobOrder, Keep, ManualTrigger, Policy, Trigger
from skerry.models.releases import ParameterSchema
from skerry.production.clock import check_clock, next_tick
from skerry.production.expressions import Occasion, fill_expressions
from skerry.production.releases import get_approved
from skerry.production.showing import Presenter
from skerry.production.sight import sees_job
from skerry.production.tables import JOB_SHARES, jobs, releases, runs
from skerry.production.values import complete_values


def create_job(
    connection: Connection, order: JobOrder, *, by: str, owner: str = PLATFORM_OWNER
) -> Job:
    """Record a job of an owner and return it.

    Raises
    ------
    InvalidInputError
        If a parameter does not fit the release's schema, or an expression or the clock cannot be
        read. A job with a clock needs a value for every parameter.
    ConflictError
        If the release is not approved or the name is taken.
    ForbiddenError
        If products would go to another user's sandbox.
    """
    release = get_approved(connection, order.release)
    _check_parameters(order, release.schema_)
    clock = order.trigger if isinstance(order.trigger, ClockTrigger) else None
    if clock:
        check_clock(clock.cron, clock.timezone)
    now = utc_now()
    values = {
        "id": new_id(),
        "name": check_name(order.name, what="job name"),
        "release_id": release.id,
        "parameters": order.parameters,
        "trigger": order.trigger.kind,
        "cron": clock.cron if clock else None,
        "timezone": clock.timezone if clock else None,
        "settled_until": now if clock else None,
        "paused": False,
        "collection": _check_collection(order.collection or order.name, by),
        "review": order.policy.review,
        "timeout_s": order.policy.timeout_s,
        "retries": order.policy.retries,
        "keep_days": order.policy.keep.days,
        "keep_count": order.policy.keep.count,
        "owner": owner,
        "created_by": by,
        "created_at": now,
    }
    try:
        connection.execute(insert(jobs).values(values))
    except IntegrityError:
        raise ConflictError(
            f"There is a job {order.name!r} already.",
            remedy=f"Take another name, or delete it: skerry job delete {order.name}.",
        ) from None
    return get_job(connection, order.name)


def get_job(connection: Connection, name: str) -> Job:
    """Return a job by name, with its next tick."""
    return read_job(find_job(connection, name, viewer=KEEPER))


def find_job(connection: Connection, name: str, *, viewer: Viewer) -> RowMapping:
    """Return a job's row by name, with its release's name.

    Raises
    ------
    NotFoundError
        If there is none that the viewer may see.
    """
    query = _query().where(jobs.c.name == name, sees_job(viewer))
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError(f"There is no job {name!r}.", remedy="'skerry job list' shows them.")
    return row


def list_jobs(connection: Connection, *, viewer: Viewer) -> list[Job]:
    """Return the jobs that the viewer may see by name, each with its next tick."""
    query = _query().where(sees_job(viewer))
    presenter = Presenter(connection, viewer)
    return [presenter.show_job(read_job(row)) for row in connection.execute(query).mappings()]


def give_job(connection: Connection, name: str, owner: str) -> Job:
    """Give a job and its runs to another owner."""
    job = find_job(connection, name, viewer=KEEPER)
    connection.execute(update(jobs).where(jobs.c.id == job["id"]).values(owner=owner))
    connection.execute(update(runs).where(runs.c.job_id == job["id"]).values(owner=owner))
    return get_job(connection, name)


def open_job(connection: Connection, name: str, *, public: bool) -> Job:
    """Open a job and its runs that succeeded to everybody, or close them again."""
    connection.execute(update(jobs).where(jobs.c.name == name).values(public=public))
    return get_job(connection, name)


def delete_job(connection: Connection, name: str, *, history: bool) -> list[str]:
    """Remove a job, and on request the history of its runs.

    Returns
    -------
    list of str
        Ids of the runs whose history was removed. Catalogued products stay.

    Raises
    ------
    ConflictError
        If a run of it is queued or running.
    """
    job = find_job(connection, name, viewer=KEEPER)
    active = select(func.count()).where(
        runs.c.job_id == job["id"], runs.c.status.in_(["queued", "running"])
    )
    if connection.execute(active).scalar_one():
        raise ConflictError(
            f"The job {name!r} has runs under way.",
            remedy=f"Let it start no more: skerry job pause {name}. Then wait for its runs, or "
            "cancel them: skerry run cancel RUN.",
        )
    run_ids: list[str] = []
    if history:
        run_ids = list(connection.scalars(select(runs.c.id).where(runs.c.job_id == job["id"])))
        connection.execute(delete(runs).where(runs.c.job_id == job["id"]))
    JOB_SHARES.forget(connection, name)
    connection.execute(delete(jobs).where(jobs.c.id == job["id"]))
    return run_ids


def check_products(connection: Connection, collection: str, owner: str) -> None:
    """Refuse a collection to which the products of an owner's runs may not go.

    One that does not exist yet will belong to the owner.

    Raises
    ------
    ForbiddenError
        If it is there, and not the owner's to change.
    """
    stored = find_collection(connection, collection, viewer=KEEPER)
    if stored is None:
        return
    if not decide(relate_collection(connection, stored, act_for(owner)), Verb.CHANGE):
        raise ForbiddenError(
            f"The collection {collection!r} is not {owner}'s to change.",
            remedy=f"Its owner can allow it: skerry share {collection} {owner} --change.",
        )


def pause_job(connection: Connection, name: str, *, paused: bool) -> Job:
    """Pause a job's clock, or let it go on from now; starts by hand stay possible."""
    job = find_job(connection, name, viewer=KEEPER)
    values: dict[str, Any] = {"paused": paused}
    if job["paused"] and not paused and job["settled_until"]:  # ticks of the pause are over
        values["settled_until"] = utc_now()
    connection.execute(update(jobs).where(jobs.c.id == job["id"]).values(values))
    return get_job(connection, name)


def read_job(row: RowMapping) -> Job:
    """Return the job of a row of `find_job`."""
    trigger: Trigger = ManualTrigger()
    upcoming = None
    if row["trigger"] == "clock":
        trigger = ClockTrigger(kind="clock", cron=row["cron"], timezone=row["timezone"])
        with suppress(InvalidInputError):  # a time zone that an upgrade has dropped
            if not row["paused"]:
                upcoming = next_tick(trigger.cron, trigger.timezone, utc_now())
    return Job(
        id=row["id"],
        name=row["name"],
        release=row["release_id"],
        release_name=row["release_name"],
        self_approved=row["self_approved"],
        parameters=row["parameters"],
        trigger=trigger,
        paused=row["paused"],
        next_tick=upcoming,
        collection=row["collection"],
        policy=Policy(
            review=row["review"],
            timeout_s=row["timeout_s"],
            retries=row["retries"],
            keep=Keep(days=row["keep_days"], count=row["keep_count"]),
        ),
        owner=row["owner"],
        public=row["public"],
        created_by=row["created_by"],
        created=row["created_at"],
    )


def _query() -> Any:
    return (
        select(jobs, releases.c.name.label("release_name"), releases.c.self_approved)
        .join(releases, releases.c.id == jobs.c.release_id)
        .order_by(jobs.c.name)
    )


def _check_collection(collection: str, by: str) -> str:
    check_sandbox(check_name(collection, what="collection id"), by)
    return collection


def _check_parameters(order: JobOrder, schema: ParameterSchema) -> None:
    now = utc_now()
    sample = fill_expressions(order.parameters, Occasion(now.date(), now))
    if isinstance(order.trigger, ClockTrigger):
        complete_values(schema, sample)
        return
    # A job started by hand may leave parameters without default to each run.
    properties = {
        name: part
        for name, part in schema["properties"].items()
        if name in order.parameters or "default" in part
    }
    unknown = [name for name in order.parameters if name not in schema["properties"]]
    complete_values(schema if unknown else {"properties": properties}, sample)
