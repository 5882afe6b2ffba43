"""Collections, which are created for their first item."""

from typing import Any

from skerry.client.session import Session, join_address
from skerry.core.errors import NotFoundError
from skerry.core.ids import check_name


def find_collection(session: Session, collection: str) -> dict[str, Any] | None:
    """Return a collection's record, or None if there is none for this account."""
    check_name(collection, what="collection id")
    try:
        record: dict[str, Any] = session.request(
            "GET", join_address("stac", "collections", collection)
        )
    except NotFoundError:
        return None
    return record


def ensure_collection(
    session: Session, collection: str, *, title: str, description: str = "", licence: str = "other"
) -> None:
    """Create a collection that is not public, unless it exists.

    Parameters
    ----------
    session
        The session of the account that writes.
    collection
        Its id.
    title, description
        Its title.
    licence
        The data's licence, as an SPDX identifier or ``other``.
    """
    if find_collection(session, collection) is not None:
        return
    record = {
        "type": "Collection",
        "stac_version": "1.1.0",
        "id": collection,
        "title": title,
        "description": description or title,
        "license": licence,
        "extent": {
            "spatial": {"bbox": [[-180.0, -90.0, 180.0, 90.0]]},
            "temporal": {"interval": [[None, None]]},
        },
        "links": [],
        "skerry:public": False,
    }
    session.request("PUT", join_address("stac", "collections", collection), json=record)


def set_public(session: Session, collection: str, *, public: bool) -> dict[str, Any]:
    """Make a collection and its published items readable without login, or take that back.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    """
    return _change(session, collection, {"skerry:public": public})


def set_owner(session: Session, collection: str, owner: str) -> dict[str, Any]:
    """Say to whom a collection belongs: ``person:<name>`` or ``project:<name>``.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    """
    return _change(session, collection, {"skerry:owner": owner})


def _change(session: Session, collection: str, facts: dict[str, Any]) -> dict[str, Any]:
    check_name(collection, what="collection id")
    path = join_address("stac", "collections", collection)
    changed = {**session.request("GET", path), "links": [], **facts}
    answer: dict[str, Any] = session.request("PUT", path, json=changed) or changed
    return answer
