"""Versions of items: which there are, and decisions about them."""

from typing import Literal

from skerry.client.references import ItemReference
from skerry.client.session import Session
from skerry.core.errors import ConflictError
from skerry.models.versions import ItemVersion, VersionList, VersionStatus

Decision = Literal["publish", "withdraw"]

_CHOSEN: dict[Decision, tuple[VersionStatus, ...]] = {
    "publish": (VersionStatus.PRELIMINARY,),
    "withdraw": (VersionStatus.PUBLISHED, VersionStatus.PRELIMINARY),
}
"""The statuses of the version that a decision is about when no version is named, best first."""


def fetch_versions(session: Session, reference: ItemReference) -> list[ItemVersion]:
    """Return the versions of an item, newest first.

    Raises
    ------
    NotFoundError
        If there is no such item.
    """
    return session.fetch(VersionList, "GET", f"{reference.path}/versions").versions


def decide_version(
    session: Session, reference: ItemReference, decision: Decision, version: int | None = None
) -> list[ItemVersion]:
    """Publish or withdraw a version of an item; return all versions afterwards.

    Parameters
    ----------
    session
        The session of the account that decides.
    reference
        The item.
    decision
        What to do.
    version
        Which version. If it is left out, the preliminary version is published; the published
        version is withdrawn, or the preliminary version where there is none.

    Raises
    ------
    ConflictError
        If no version can be chosen, or the status of the version forbids it.
    NotFoundError
        If there is no such item or version.
    """
    if version is None:
        version = _choose(fetch_versions(session, reference), reference, decision)
    path = f"{reference.path}/versions/{version}/{decision}"
    return session.fetch(VersionList, "POST", path).versions


def _choose(versions: list[ItemVersion], reference: ItemReference, decision: Decision) -> int:
    by_status = {item.status: item.version for item in versions}
    for status in _CHOSEN[decision]:
        if status in by_status:
            return by_status[status]
    raise ConflictError(
        f"{reference} has no {' or '.join(_CHOSEN[decision])} version to {decision}.",
        remedy=f"'skerry item versions {reference}' lists its versions.",
    )
