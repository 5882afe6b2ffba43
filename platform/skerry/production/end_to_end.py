"""The end-to-end run: a small notebook of the platform's own, carried out as every run is.

Nobody has to approve it, because it is not a person's code but Skerry's. Its product stays
preliminary in a private collection, and everything goes again when the run has been looked at. What
is left when that was cut short goes with the next one.
"""

from contextlib import suppress
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, Engine, and_, exists, select

from skerry.catalog.collections import delete_collection
from skerry.catalog.deletions import delete_item, finish_deletions
from skerry.catalog.tables import items
from skerry.core.errors import ConflictError, NotFoundError
from skerry.core.ids import new_id
from skerry.core.ownership import PLATFORM_OWNER
from skerry.core.time import utc_now
from skerry.models.jobs import JobOrder, Policy, Review
from skerry.models.releases import Proposal
from skerry.models.runs import RunDetails
from skerry.production.end_to_end_notebook import make_notebook
from skerry.production.jobs import create_job, delete_job
from skerry.production.occurrences import key_for_request
from skerry.production.proposals import propose_release
from skerry.production.publishing import list_catalogued
from skerry.production.release_files import remove_release_files
from skerry.production.releases import approve_release, delete_release, get_release
from skerry.production.runs import start_run
from skerry.production.tables import jobs, releases
from skerry.storage.objects import Objects
from skerry.storage.recording import Actor, writing
from skerry.storage.run_folder import remove_run

OUTPUT = "check"
"""The notebook's output, and the variable in it."""

_MAKER = "platform:end-to-end"
"""Who proposes its releases; no account of the hub can have this name."""

_TIMEOUT_S = 900
_FORGOTTEN = timedelta(hours=1)


def start_end_to_end(engine: Engine, objects: Objects, by: Actor) -> tuple[str, RunDetails]:
    """Start a run; return its name, which job and collection have too, and the run."""
    name = f"end-to-end-{new_id()}"
    proposal = Proposal(name=name, notebook=make_notebook(OUTPUT))
    release = propose_release(engine, objects, proposal, by=Actor(_MAKER), owner=PLATFORM_OWNER)
    policy = Policy(review=Review.REQUIRED, timeout_s=_TIMEOUT_S)
    order = JobOrder(name=name, release=release.id, collection=name, policy=policy)
    with writing(engine, by) as connection:
        approve_release(connection, release.id, by=_MAKER, own=True)
        create_job(connection, order, by=by.name, owner=PLATFORM_OWNER)
        run, _new = start_run(
            connection, name, occurrence=key_for_request(None), parameters={}, by=by.name
        )
    return name, run


def remove_end_to_end(engine: Engine, objects: Objects, name: str, by: Actor) -> None:
    """Remove job, run, product, collection and release of an end-to-end run that has ended.

    Raises
    ------
    NotFoundError
        If there is none of this name.
    ConflictError
        If its run is under way.
    """
    with writing(engine, by) as connection:
        query = select(jobs.c.release_id).join(releases, releases.c.id == jobs.c.release_id)
        found = connection.execute(query.where(jobs.c.name == name, _is_its_job())).scalar()
        if found is None:
            raise NotFoundError(
                f"There is no end-to-end run {name[:80]!r}.",
                remedy="'skerry doctor --run' starts one.",
            )
        removed = delete_job(connection, name, history=True)
        _remove_products(connection, name)
        kept = list_catalogued(connection, removed)
        release = delete_release(connection, found)
    finish_deletions(engine, objects)
    for run, epochs in kept.items():
        remove_run(objects, run, epochs)
    remove_release_files(objects, release)


def remove_forgotten(engine: Engine, objects: Objects, by: Actor) -> None:
    """Remove what end-to-end runs have left that nobody ended; those under way stay."""
    old = utc_now() - _FORGOTTEN
    with engine.connect() as connection:
        query = select(jobs.c.name).join(releases, releases.c.id == jobs.c.release_id)
        names = connection.scalars(query.where(_is_its_job(), jobs.c.created_at < old)).all()
        without_job = ~exists().where(jobs.c.release_id == releases.c.id)
        query = select(releases.c.id).where(_is_ours(), releases.c.proposed_at < old, without_job)
        unused = connection.scalars(query).all()
    for name in names:
        with suppress(ConflictError, NotFoundError):  # under way, or another has removed it
            remove_end_to_end(engine, objects, name, by)
    for release_id in unused:
        with suppress(ConflictError, NotFoundError), writing(engine, by) as connection:
            release = delete_release(connection, get_release(connection, release_id).id)
            remove_release_files(objects, release)


def _is_ours() -> ColumnElement[bool]:
    return releases.c.proposed_by == _MAKER


def _is_its_job() -> ColumnElement[bool]:
    """Return the condition that a job is the one that was made with its release.

    An operator sees such a release, and may make another job of it, with the name of somebody's
    collection: that collection is none of its products.
    """
    return and_(_is_ours(), jobs.c.name == releases.c.name, jobs.c.collection == releases.c.name)


def _remove_products(connection: Connection, name: str) -> None:
    query = select(items.c.id).where(items.c.collection == name).distinct()
    for item in connection.scalars(query).all():
        delete_item(connection, name, item, owner=_MAKER)
    with suppress(NotFoundError):  # nothing was published
        delete_collection(connection, name, owner=_MAKER)
