"""Versions of items: which there are, and decisions about them."""

from collections.abc import Sequence

from skerry.client.references import ItemReference
from skerry.client.session import Session
from skerry.core.errors import ConflictError, NotFoundError
from skerry.models.versions import ItemVersion, VersionList, VersionStatus, Withdrawal

PUBLISHABLE = (VersionStatus.PRELIMINARY,)
WITHDRAWABLE = (VersionStatus.PUBLISHED, VersionStatus.PRELIMINARY, VersionStatus.WITHDRAWN)
"""The statuses of the version that a decision is about when no version is named, best first."""


def fetch_versions(session: Session, reference: ItemReference) -> list[ItemVersion]:
    """Return the versions of an item, newest first.

    Raises
    ------
    NotFoundError
        If there is no such item.
    """
    return session.fetch(VersionList, "GET", f"{reference.path}/versions").versions


def publish_version(session: Session, reference: ItemReference, version: int) -> list[ItemVersion]:
    """Publish a preliminary version of an item; return all versions afterwards.

    Raises
    ------
    ConflictError
        If the status of the version forbids it.
    NotFoundError
        If there is no such item or version.
    """
    path = f"{reference.path}/versions/{version}/publish"
    return session.fetch(VersionList, "POST", path).versions


def withdraw_version(
    session: Session, reference: ItemReference, version: int, withdrawal: Withdrawal
) -> list[ItemVersion]:
    """Withdraw a version of an item; return all versions afterwards.

    Raises
    ------
    ConflictError
        If its bytes are to go, and another item has bytes in the same place.
    NotFoundError
        If there is no such item or version.
    """
    path = f"{reference.path}/versions/{version}/withdraw"
    return session.fetch(VersionList, "POST", path, json=withdrawal).versions


def choose_version(
    session: Session,
    reference: ItemReference,
    statuses: Sequence[VersionStatus],
    number: int | None,
) -> ItemVersion:
    """Return the version that a decision is about.

    Parameters
    ----------
    session
        The session of the account that decides.
    reference
        The item.
    statuses
        The statuses to look for if no version is named, best first; of several versions with one
        status, the newest.
    number
        The version, if it is named.

    Raises
    ------
    ConflictError
        If no version has one of the statuses.
    NotFoundError
        If there is no such item or version.
    """
    versions = fetch_versions(session, reference)
    remedy = f"'skerry item versions {reference}' lists its versions."
    if number is not None:
        named = [item for item in versions if item.version == number]
        if not named:
            raise NotFoundError(f"There is no version {number} of {reference}.", remedy=remedy)
        return named[0]
    for status in statuses:
        for item in versions:
            if item.status is status:
                return item
    raise ConflictError(f"{reference} has no {' or '.join(statuses)} version.", remedy=remedy)
