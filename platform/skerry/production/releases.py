"""Releases: a notebook, its parameter schema and its environment, pinned and then decided on.

After the proposal only the decision on a release can change, and only once.
"""

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from skerry.core.errors import ConflictError, InvalidInputError, NotFoundError
from skerry.core.ids import check_name, new_id
from skerry.core.ownership import KEEPER, PLATFORM_OWNER, Viewer
from skerry.core.time import utc_now
from skerry.models.releases import Environment, ParameterSchema, Release, ReleaseStatus
from skerry.production.environments import digest_environment
from skerry.production.showing import Presenter
from skerry.production.sight import sees_release
from skerry.production.tables import RELEASE_SHARES, jobs, releases, runs


def insert_release(
    connection: Connection,
    *,
    name: str,
    notebook_digest: str,
    environment: Environment,
    schema: ParameterSchema,
    by: str,
    release_id: str,
    owner: str = PLATFORM_OWNER,
) -> Release:
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
    owner
        Its owner.
    """
    connection.execute(
        insert(releases).values(
            id=release_id,
            name=check_name(name, what="release name"),
            status=ReleaseStatus.PROPOSED,
            notebook_key=name_notebook(release_id),
            notebook_digest=notebook_digest,
            environment_digest=digest_environment(environment),
            environment=environment,
            schema=schema,
            owner=owner,
            proposed_by=by,
            proposed_at=utc_now(),
            self_approved=False,
        )
    )
    return get_release(connection, release_id)


def name_notebook(release_id: str) -> str:
    """Return the key under which a release's notebook is kept."""
    return f"releases/{release_id}/notebook.ipynb"


def new_release_id() -> str:
    """Return an id for a release about to be proposed."""
    return new_id()


def approve_release(connection: Connection, release_id: str, *, by: str, own: bool) -> Release:
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
    is_own = release.proposed_by == by
    if is_own and not own:
        raise ConflictError(
            f"The release {release.id} was proposed by {by} too.",
            remedy="Ask another person, or on a one-person platform approve with --self.",
        )
    return _decide(connection, release, ReleaseStatus.APPROVED, by=by, self_approved=is_own)


def reject_release(connection: Connection, release_id: str, *, by: str) -> Release:
    """Refuse a proposal."""
    release = find_proposal(connection, release_id)
    return _decide(connection, release, ReleaseStatus.REJECTED, by=by, self_approved=False)


def find_proposal(connection: Connection, release_id: str, *, viewer: Viewer = KEEPER) -> Release:
    """Return a release by its id alone: several proposals may share a name.

    Raises
    ------
    NotFoundError
        If there is no release with that id that the viewer may see.
    """
    row = _find_by_id(connection, release_id, viewer)
    if row is None:
        raise NotFoundError(
            f"There is no release with the id {release_id[:140]!r}.",
            remedy="A release is decided on by its id: 'skerry release list' shows it.",
        )
    return _read_row(row)


def check_seen(release: Release, *, notebook_digest: str, environment_digest: str) -> None:
    """Refuse a decision on content that differs from the content that the approver has seen.

    Raises
    ------
    ConflictError
        Names what differs.
    """
    for name, pinned, digest in (
        ("notebook_digest", release.notebook_digest, notebook_digest),
        ("environment_digest", release.environment_digest, environment_digest),
    ):
        if pinned != digest:
            raise ConflictError(
                f"The {name} of the release {release.id} is {pinned}, not {digest[:140]}.",
                remedy=f"Look at the release again: skerry release show {release.id} --notebook.",
            )


def _decide(
    connection: Connection, release: Release, status: ReleaseStatus, *, by: str, self_approved: bool
) -> Release:
    updated = connection.execute(
        update(releases)
        .where(releases.c.id == release.id, releases.c.status == ReleaseStatus.PROPOSED)
        .values(
            status=status,
            decided_by=by,
            decided_at=utc_now(),
            self_approved=self_approved,
        )
    )
    if updated.rowcount != 1:
        raise ConflictError(
            f"The release {release.id} is {release.status} already.",
            remedy="Propose the notebook again to have it decided anew.",
        )
    return get_release(connection, release.id)


def get_release(connection: Connection, name_or_id: str, *, viewer: Viewer = KEEPER) -> Release:
    """Return a release by id, or the newest release of a name, an approved release if possible.

    By name, the viewer's own releases come first: other people may have shared a release of the
    same name.

    Raises
    ------
    NotFoundError
        If neither an id nor a name matches a release that the viewer may see.
    """
    row = _find_by_id(connection, name_or_id, viewer)
    if row is None:
        row = (
            connection.execute(
                select(releases)
                .where(releases.c.name == name_or_id, sees_release(viewer))
                .order_by(
                    releases.c.owner.in_(sorted(viewer.owners)).desc(),
                    (releases.c.status == ReleaseStatus.APPROVED).desc(),
                    releases.c.id.desc(),
                )
            )
            .mappings()
            .first()
        )
    if row is None:
        raise NotFoundError(
            f"There is no release {name_or_id!r}.", remedy="'skerry release list' shows them."
        )
    return _read_row(row)


def _find_by_id(connection: Connection, release_id: str, viewer: Viewer) -> RowMapping | None:
    query = select(releases).where(releases.c.id == release_id, sees_release(viewer))
    return connection.execute(query).mappings().first()


def get_approved(connection: Connection, name_or_id: str) -> Release:
    """Return a release that is approved to run.

    Raises
    ------
    ConflictError
        If it is not approved.
    """
    release = get_release(connection, name_or_id)
    if release.status is not ReleaseStatus.APPROVED:
        raise ConflictError(
            f"The release {release.id} ({release.name}) is {release.status}, not approved.",
            remedy=f"Have it approved: skerry release approve {release.id}.",
        )
    return release


def list_releases(connection: Connection, *, viewer: Viewer) -> list[Release]:
    """Return the releases that the viewer may see, newest first."""
    query = select(releases).where(sees_release(viewer)).order_by(releases.c.id.desc())
    presenter = Presenter(connection, viewer)
    return [presenter.show_release(_read_row(row)) for row in connection.execute(query).mappings()]


def give_release(connection: Connection, release: Release, owner: str) -> Release:
    """Give a release to another owner."""
    connection.execute(update(releases).where(releases.c.id == release.id).values(owner=owner))
    return get_release(connection, release.id)


def open_release(connection: Connection, release: Release, *, public: bool) -> Release:
    """Open a release to everybody, or close it again."""
    connection.execute(update(releases).where(releases.c.id == release.id).values(public=public))
    return get_release(connection, release.id)


def delete_release(connection: Connection, release_id: str) -> Release:
    """Remove a release that no job and no run refers to; return it."""
    release = get_release(connection, release_id)
    for table in (jobs, runs):
        query = select(func.count()).where(table.c.release_id == release.id)
        if connection.execute(query).scalar_one():
            raise ConflictError(
                f"The release {release.id} is used by {table.name}.",
                remedy="Delete its jobs with their history first.",
            )
    RELEASE_SHARES.forget(connection, release.id)
    connection.execute(delete(releases).where(releases.c.id == release.id))
    return release


def _read_row(row: RowMapping) -> Release:
    return Release(
        id=row["id"],
        name=row["name"],
        status=row["status"],
        notebook_key=row["notebook_key"],
        notebook_digest=row["notebook_digest"],
        environment_digest=row["environment_digest"],
        environment=row["environment"],
        schema=row["schema"],
        owner=row["owner"],
        public=row["public"],
        proposed_by=row["proposed_by"],
        proposed=row["proposed_at"],
        decided_by=row["decided_by"],
        decided=row["decided_at"],
        self_approved=row["self_approved"],
    )


def check_pinned(notebook_digest: str, release: Release) -> None:
    """Refuse a stored notebook that differs from the notebook that the release pins."""
    if notebook_digest != release.notebook_digest:
        raise InvalidInputError(
            f"The stored notebook of the release {release.id} was changed.",
            remedy="Propose and approve the notebook again.",
        )
