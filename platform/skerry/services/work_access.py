"""What a request may do with a release, a job or a run: asked here by the routes of production.

The functions that begin with ``check`` return the thing, as far as its asker may see it. They raise
`NotFoundError` if there is none, as far as the asker may know, and `ForbiddenError` if the asker
sees it, but the rules do not allow the verb.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, RowMapping

from skerry.catalog.collections import find_collection, find_home
from skerry.core.errors import ForbiddenError, NotFoundError
from skerry.core.ownership import ANONYMOUS, KEEPER, PLATFORM_OWNER, Relation, Verb, Viewer, decide
from skerry.core.scopes import Scope
from skerry.models.jobs import Job, JobOrder
from skerry.models.releases import Release
from skerry.models.runs import RunDetails
from skerry.production.jobs import check_products, find_job, read_job
from skerry.production.releases import find_proposal, get_release
from skerry.production.run_history import find_run, read_run
from skerry.production.showing import Presenter
from skerry.services.access import check_new_owner, check_target, speak_for, speaks_for
from skerry.services.identity import Identity, refuse_unseen


def find_work_viewer(identity: Identity | None) -> Viewer:
    """Return for whom a request speaks when it looks at releases, jobs or runs.

    A token without the scope to see them sees what anonymous visitors see.
    """
    if identity is None or not identity.may(Scope.PRODUCTION_READ):
        return ANONYMOUS
    return speak_for(identity)


def check_release(connection: Connection, identity: Identity, name: str, verb: Verb) -> Release:
    """Return a release, by id or name, with which the rules allow the asker to do something."""
    viewer = speak_for(identity)
    release = get_release(connection, name, viewer=viewer)
    relation = Presenter(connection, viewer).relate_release(release)
    _check_verb(identity, relation, verb, f"the release {release.id}")
    return release


def show_release(connection: Connection, identity: Identity | None, name: str) -> Release:
    """Return a release, by id or name, as far as the asker may see it."""
    viewer = find_work_viewer(identity)
    with _refusing_hidden(identity, f"release {name[:140]!r}"):
        release = get_release(connection, name, viewer=viewer)
    return Presenter(connection, viewer).show_release(release)


def check_proposal(connection: Connection, identity: Identity, release_id: str) -> Release:
    """Return a release, by its id alone, which the asker may approve or reject."""
    viewer = speak_for(identity)
    release = find_proposal(connection, release_id, viewer=viewer)
    relation = Presenter(connection, viewer).relate_release(release)
    _check_verb(identity, relation, Verb.CHANGE, f"the release {release.id}")
    return release


def check_job(
    connection: Connection, identity: Identity, name: str, verb: Verb, *more: Verb
) -> RowMapping:
    """Return the row of a job with which the rules allow the asker to do some things."""
    viewer = speak_for(identity)
    job = find_job(connection, name, viewer=viewer)
    relation = Presenter(connection, viewer).relate_work(name, job["owner"])
    for each in (verb, *more):
        _check_verb(identity, relation, each, f"the job {name!r}")
    return job


def show_job(connection: Connection, identity: Identity | None, name: str) -> Job:
    """Return a job as far as the asker may see it."""
    viewer = find_work_viewer(identity)
    with _refusing_hidden(identity, f"job {name[:140]!r}"):
        job = find_job(connection, name, viewer=viewer)
    return Presenter(connection, viewer).show_job(read_job(job))


def check_run(connection: Connection, identity: Identity, run_id: str, verb: Verb) -> RowMapping:
    """Return the row of a run with which the rules allow the asker to do something."""
    viewer = speak_for(identity)
    run = find_run(connection, run_id, viewer=viewer)
    relation = Presenter(connection, viewer).relate_work(run["job_name"], run["owner"])
    _check_verb(identity, relation, verb, f"the run {run['id']}")
    return run


def show_run(
    connection: Connection, identity: Identity | None, run_id: str
) -> tuple[RunDetails, bool]:
    """Return a run as far as the asker may see it, and whether they may read its records."""
    viewer = find_work_viewer(identity)
    with _refusing_hidden(identity, f"run {run_id[:140]!r}"):
        row = find_run(connection, run_id, viewer=viewer)
    presenter = Presenter(connection, viewer)
    relation = presenter.relate_work(row["job_name"], row["owner"])
    return presenter.show_run(read_run(connection, row)), decide(relation, Verb.READ_RECORDS)


@contextmanager
def _refusing_hidden(identity: Identity | None, what: str) -> Iterator[None]:
    """Refuse what is not found in words that fit who asks: a login or a scope may show it."""
    try:
        yield
    except NotFoundError:
        if identity is not None and identity.may(Scope.PRODUCTION_READ):
            raise
        raise refuse_unseen(identity, Scope.PRODUCTION_READ, what) from None


def _check_verb(identity: Identity, relation: Relation, verb: Verb, what: str) -> None:
    if not decide(relation, verb):
        raise ForbiddenError(
            f"{identity.account!r} may not {verb} {what}.", remedy="Ask its owner."
        )


def choose_release_owner(identity: Identity, owner: str | None) -> str:
    """Return the owner of a proposal: the one it names, else the platform's own project.

    Raises
    ------
    InvalidInputError
        If it is not the name of an owner.
    ForbiddenError
        If the asker does not speak for that owner.
    """
    if owner is None:
        return PLATFORM_OWNER
    return check_new_owner(identity, owner)


def choose_job_owner(
    connection: Connection, identity: Identity, order: JobOrder, release: Release
) -> str:
    """Return the owner of a new job; refuse a collection that this owner may not change.

    If the order names no owner, it is the first of these for whom the asker speaks: the owner of
    the collection, the owner of the release, the platform's own project.

    Raises
    ------
    InvalidInputError
        If it is not the name of an owner.
    ForbiddenError
        If the asker does not speak for that owner, or one of the two may not change the
        collection.
    """
    target = order.collection or order.name
    check_target(connection, identity, target)
    owner = order.owner
    if owner is None:
        stored = find_collection(connection, target, viewer=KEEPER)
        home = stored.owner if stored else find_home(target, release.owner)
        choices = (home, release.owner, PLATFORM_OWNER)
        owner = next(choice for choice in choices if speaks_for(identity, choice))
    owner = check_new_owner(identity, owner)
    check_products(connection, target, owner)
    return owner
