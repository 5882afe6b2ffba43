"""For whom a request speaks, and what it may do with a thing: asked here by every route."""

from dataclasses import replace

from sqlalchemy import Connection, select

from skerry.catalog.collections import (
    SANDBOX,
    StoredCollection,
    check_sandbox,
    find_collection,
    refuse_missing,
)
from skerry.catalog.deletions import refuse_missing_item
from skerry.catalog.items import StoredItem, find_withdrawn
from skerry.catalog.sharing import relate_collection
from skerry.core.digests import hash_secret
from skerry.core.errors import ForbiddenError, SkerryError, WithdrawnError
from skerry.core.ownership import (
    ANONYMOUS,
    KEEPER,
    PLATFORM_OWNER,
    Verb,
    Viewer,
    act_for,
    check_owner,
    decide,
)
from skerry.core.scopes import Scope, list_projects
from skerry.core.time import format_time, from_microseconds
from skerry.models.versions import VersionStatus
from skerry.production.occurrences import find_tick
from skerry.production.tables import attempts, jobs, runs
from skerry.services.identity import Identity, refuse_unseen


def find_viewer(connection: Connection, identity: Identity | None) -> Viewer:
    """Return for whom a request speaks when it reads.

    A token without the scope to read sees what anonymous visitors see. The token of a run sees what
    the run's owner sees. It also sees what the person sees who made the job, because that person
    gave it this work; but not if another person started the run, and so chose its parameters.
    """
    if identity is None or not identity.may(Scope.CATALOG_READ):
        return ANONYMOUS
    if identity.may(Scope.PLATFORM_ADMIN):
        return KEEPER
    if identity.may(Scope.RUN_PUBLISH):
        return _speak_for_run(connection, identity)
    return replace(speak_for(identity), sees_withdrawn=identity.may(Scope.CATALOG_WITHDRAWN))


def refuse_item(
    connection: Connection, identity: Identity | None, collection: str, item: str
) -> SkerryError:
    """Return the error for an item that the asker is not shown.

    A person who could see it before it was withdrawn is told the reason.
    """
    withdrawn = find_withdrawn(
        connection, collection, item, viewer=find_viewer(connection, identity)
    )
    if withdrawn is not None:
        return refuse_withdrawn(withdrawn)
    what = f"item {item!r} of collection {collection!r}"
    return refuse_unseen(identity, Scope.CATALOG_READ, what)


def refuse_withdrawn(item: StoredItem) -> WithdrawnError:
    """Return the error for a withdrawn version that the asker could see before."""
    return WithdrawnError(
        item.tell_withdrawal(),
        remedy="Use another product, or wait for a new version of this one.",
    )


def check_kept(item: StoredItem) -> None:
    """Refuse to read a version whose bytes are not kept.

    Raises
    ------
    WithdrawnError
        If they were deleted.
    """
    if item.bytes_deleted is None:
        return
    moment = format_time(from_microseconds(item.bytes_deleted))
    if item.status == VersionStatus.WITHDRAWN:
        what = f"{item.tell_withdrawal()} Its bytes were deleted at {moment}."
    else:
        what = (
            f"The bytes of version {item.version} of {item.id!r} in {item.collection!r} were"
            f" deleted at {moment}, when another version took its place."
        )
    remedy = f"'skerry item versions {item.collection}/{item.id}' lists the versions."
    raise WithdrawnError(what, remedy=remedy)


def speak_for(identity: Identity) -> Viewer:
    """Return the owners for whom a token speaks: its person or service, and their projects."""
    if identity.may(Scope.PLATFORM_ADMIN):
        return KEEPER
    projects = {f"project:{group}" for group in list_projects(identity.groups)}
    reads = frozenset(f"project:{name}" for name in identity.reads)
    return Viewer(frozenset({identity.owner, PLATFORM_OWNER, *projects}), reads=reads)


def _speak_for_run(connection: Connection, identity: Identity) -> Viewer:
    query = (
        select(runs.c.owner, runs.c.occurrence, runs.c.created_by, jobs.c.created_by.label("maker"))
        .join(attempts, attempts.c.run_id == runs.c.id)
        .outerjoin(jobs, jobs.c.id == runs.c.job_id)
        .where(attempts.c.token_hash == hash_secret(identity.token or ""))
    )
    run = connection.execute(query).first()
    if run is None:
        return act_for(PLATFORM_OWNER)
    is_makers = find_tick(run.occurrence) is not None or run.created_by == run.maker
    return act_for(run.owner, *({f"person:{run.maker}"} if run.maker and is_makers else ()))


def check_change(
    connection: Connection, identity: Identity, collection: str, *, item: str | None = None
) -> None:
    """Refuse a change of a collection, or of its items, that the rules do not allow.

    A collection that the asker may not see is refused as a collection that does not exist.

    Parameters
    ----------
    item
        The item to change, if it must exist already. The refusal names it.

    Raises
    ------
    NotFoundError
        If there is none, as far as the asker may know.
    ForbiddenError
        If they only see it, or it is another user's sandbox.
    """
    check_sandbox(collection, identity.account)
    if collection != f"{SANDBOX}{identity.account}":  # registering makes one's own sandbox
        check_seen(connection, identity, collection, Verb.CHANGE, item=item)


def check_seen(
    connection: Connection,
    identity: Identity,
    collection: str,
    verb: Verb,
    *,
    item: str | None = None,
) -> StoredCollection:
    """Return a collection with which the rules allow the asker to do something.

    Raises
    ------
    NotFoundError
        If there is none, as far as the asker may know.
    ForbiddenError
        If they see it, but may not do this with it.
    """
    stored = find_collection(connection, collection, viewer=speak_for(identity))
    if stored is None:
        raise refuse_missing_item(collection, item) if item else refuse_missing(collection)
    check_verb(connection, identity, stored, verb)
    return stored


def speaks_for(identity: Identity, owner: str) -> bool:
    """Return whether a token speaks for an owner."""
    viewer = speak_for(identity)
    return viewer.is_keeper or owner in viewer.owners


def check_target(connection: Connection, identity: Identity, collection: str) -> None:
    """Refuse a collection, which need not be there yet, as the place of new products.

    Each name exists once on the platform. So the refusal tells that the name is taken, but nothing
    else.

    Raises
    ------
    ForbiddenError
        If it is there and not the asker's to change.
    """
    stored = find_collection(connection, collection, viewer=KEEPER)
    if stored is not None:
        check_verb(connection, identity, stored, Verb.CHANGE)


def check_new_owner(identity: Identity, owner: str) -> str:
    """Return the name of an owner to whom the asker may give something: for whom they speak.

    Raises
    ------
    InvalidInputError
        If it is not the name of an owner.
    ForbiddenError
        If it is somebody else, or a project of others.
    """
    owner = check_owner(owner)
    if not speaks_for(identity, owner):
        raise ForbiddenError(
            f"{identity.account!r} does not belong to {owner!r}.",
            remedy=f"Choose one of: {', '.join(sorted(speak_for(identity).owners))}.",
        )
    return owner


def check_replacement(
    connection: Connection, identity: Identity, collection: str, *, public: bool, owner: str | None
) -> None:
    """Refuse to make a collection, or to change its record, without the right to do so.

    Raises
    ------
    ForbiddenError
        If the collection is not theirs to change, or whether it is public or its owner would
        change and the asker may not decide about that.
    """
    stored = find_collection(connection, collection, viewer=KEEPER)
    if stored is not None:
        check_verb(connection, identity, stored, Verb.CHANGE)
    if public != (stored is not None and stored.public):
        check_publicise(identity)
        if stored is not None:
            check_verb(connection, identity, stored, Verb.GIVE)
    if owner is not None and (stored is None or owner != stored.owner):
        check_new_owner(identity, owner)
        if stored is not None:
            check_verb(connection, identity, stored, Verb.GIVE)


def check_verb(
    connection: Connection, identity: Identity, stored: StoredCollection, verb: Verb
) -> None:
    """Refuse what the rules do not allow with a collection that the asker sees.

    Raises
    ------
    ForbiddenError
        Naming the collection and the verb.
    """
    relation = relate_collection(connection, stored, speak_for(identity))
    if not decide(relation, verb):
        raise ForbiddenError(
            f"The collection {stored.id!r} is not {identity.account!r}'s to {verb}.",
            remedy=f"Ask its owner: skerry share {stored.id} {identity.owner} --change.",
        )


def check_publicise(identity: Identity) -> None:
    """Refuse to open or close a collection without the scope for it.

    Raises
    ------
    ForbiddenError
        If the token lacks it.
    """
    if not identity.may(Scope.CATALOG_PUBLICISE):
        raise ForbiddenError(
            f"The token of {identity.account!r} lacks the scope {Scope.CATALOG_PUBLICISE}, so it"
            " may neither open a collection to everybody nor close it again.",
            remedy="Use a token with that scope, or ask the platform's administrator for it.",
        )
