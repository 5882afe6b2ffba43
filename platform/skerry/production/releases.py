"""Releases: a notebook, its parameter schema and its environment, pinned and then decided on.

After the proposal only the decision on a release can change, and only once.
"""

from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from skerry.core.errors import ConflictError, InvalidInputError, NotFoundError
from skerry.core.ids import check_name, new_id
from skerry.core.time import format_optional_time, format_time, utc_now
from skerry.production.environments import digest_environment
from skerry.production.tables import jobs, releases, runs


def insert_release(
    connection: Connection,
    *,
    name: str,
    notebook_digest: str,
    environment: dict[str, Any],
    schema: dict[str, Any],
    by: str,
    release_id: str,
) -> dict[str, Any]:
    """Record a proposal and return it.

    Parameters
    ----------
    name
        Its name for people; several releases of one notebook share a name.
    notebook_digest
        Digest of the notebook's normalised form, which is stored under the release's id.
    environment
        As `environments.describe_environment` returns it.
    schema
        As `parameters.read_parameters` returns it.
    by
        The proposer.
    release_id
        The id under which the notebook has been stored.
    """
    connection.execute(
        insert(releases).values(
            id=release_id,
            name=check_name(name, what="release name"),
            status="proposed",
            notebook_key=f"releases/{release_id}/notebook.ipynb",
            notebook_digest=notebook_digest,
            environment_digest=digest_environment(environment),
            environment=environment,
            schema=schema,
            proposed_by=by,
            proposed_at=utc_now(),
            self_approved=False,
        )
    )
    return get_release(connection, release_id)


def new_release_id() -> str:
    """Return an id for a release about to be proposed."""
    return new_id()


def approve_release(
    connection: Connection, release_id: str, *, by: str, own: bool
) -> dict[str, Any]:
    """Approve a proposal.

    Parameters
    ----------
    own
        The approver knows that the proposal is their own. The release records it, and all its
        products show it.

    Raises
    ------
    ConflictError
        If it is decided already, or it is the approver's own and `own` is False.
    """
    release = find_proposal(connection, release_id)
    is_own = release["proposed_by"] == by
    if is_own and not own:
        raise ConflictError(
            f"The release {release['id']} was proposed by {by} too.",
            remedy="Ask another person, or on a one-person platform approve with --self.",
        )
    return _decide(connection, release, "approved", by=by, self_approved=is_own)


def reject_release(connection: Connection, release_id: str, *, by: str) -> dict[str, Any]:
    """Refuse a proposal."""
    release = find_proposal(connection, release_id)
    return _decide(connection, release, "rejected", by=by, self_approved=False)


def find_proposal(connection: Connection, release_id: str) -> dict[str, Any]:
    """Return a release by its id alone: several proposals may share a name.

    Raises
    ------
    NotFoundError
        If there is no release with that id.
    """
    row = _find_by_id(connection, release_id)
    if row is None:
        raise NotFoundError(
            f"There is no release with the id {release_id[:140]!r}.",
            remedy="A release is decided on by its id: 'skerry release list' shows it.",
        )
    return describe_release(row)


def check_seen(release: dict[str, Any], *, notebook_digest: str, environment_digest: str) -> None:
    """Refuse a decision on content that differs from the content that the approver has seen.

    Raises
    ------
    ConflictError
        Names what differs.
    """
    for name, digest in (
        ("notebook_digest", notebook_digest), ("environment_digest", environment_digest)
    ):  # fmt: skip
        if release[name] != digest:
            raise ConflictError(
                f"The {name} of the release {release['id']} is {release[name]}, "
                f"not {digest[:140]}.",
                remedy="Look at the release again: skerry release show "
                f"{release['id']} --notebook.",
            )


def _decide(
    connection: Connection, release: dict[str, Any], status: str, *, by: str, self_approved: bool
) -> dict[str, Any]:
    changed = connection.execute(
        update(releases)
        .where(releases.c.id == release["id"], releases.c.status == "proposed")
        .values(
            status=status,
            decided_by=by,
            decided_at=utc_now(),
            self_approved=self_approved,
        )
    )
    if changed.rowcount != 1:
        raise ConflictError(
            f"The release {release['id']} is {release['status']} already.",
            remedy="Propose the notebook again to have it decided anew.",
        )
    return get_release(connection, release["id"])


def get_release(connection: Connection, name_or_id: str) -> dict[str, Any]:
    """Return a release by id, or the newest release of a name, an approved release if possible.

    Raises
    ------
    NotFoundError
        If neither an id nor a name matches.
    """
    row = _find_by_id(connection, name_or_id)
    if row is None:
        row = (
            connection.execute(
                select(releases)
                .where(releases.c.name == name_or_id)
                .order_by((releases.c.status == "approved").desc(), releases.c.id.desc())
            )
            .mappings()
            .first()
        )
    if row is None:
        raise NotFoundError(
            f"There is no release {name_or_id!r}.", remedy="'skerry release list' shows them."
        )
    return describe_release(row)


def _find_by_id(connection: Connection, release_id: str) -> RowMapping | None:
    return (
        connection.execute(select(releases).where(releases.c.id == release_id)).mappings().first()
    )


def get_approved(connection: Connection, name_or_id: str) -> dict[str, Any]:
    """Return a release that is approved to run.

    Raises
    ------
    ConflictError
        If it is not approved.
    """
    release = get_release(connection, name_or_id)
    if release["status"] != "approved":
        raise ConflictError(
            f"The release {release['id']} ({release['name']}) is {release['status']}, "
            "not approved.",
            remedy=f"Have it approved: skerry release approve {release['id']}.",
        )
    return release


def list_releases(connection: Connection) -> list[dict[str, Any]]:
    """Return all releases, newest first."""
    rows = connection.execute(select(releases).order_by(releases.c.id.desc())).mappings()
    return [describe_release(row) for row in rows]


def delete_release(connection: Connection, release_id: str) -> dict[str, Any]:
    """Remove a release that no job and no run refers to; return its description."""
    release = get_release(connection, release_id)
    for table in (jobs, runs):
        query = select(func.count()).where(table.c.release_id == release["id"])
        if connection.execute(query).scalar_one():
            raise ConflictError(
                f"The release {release['id']} is used by {table.name}.",
                remedy="Delete its jobs with their history first.",
            )
    connection.execute(delete(releases).where(releases.c.id == release["id"]))
    return release


def describe_release(row: RowMapping) -> dict[str, Any]:
    """Return a release's row for display."""
    return {
        "id": row["id"],
        "name": row["name"],
        "status": row["status"],
        "notebook_key": row["notebook_key"],
        "notebook_digest": row["notebook_digest"],
        "environment_digest": row["environment_digest"],
        "environment": row["environment"],
        "schema": row["schema"],
        "proposed_by": row["proposed_by"],
        "proposed": format_time(row["proposed_at"]),
        "decided_by": row["decided_by"],
        "decided": format_optional_time(row["decided_at"]),
        "self_approved": bool(row["self_approved"]),
    }


def check_pinned(notebook_digest: str, release: dict[str, Any]) -> None:
    """Refuse a stored notebook that differs from the notebook that the release pins."""
    if notebook_digest != release["notebook_digest"]:
        raise InvalidInputError(
            f"The stored notebook of the release {release['id']} was changed.",
            remedy="Propose and approve the notebook again.",
        )
