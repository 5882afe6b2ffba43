"""Versions of items: list them, publish one, withdraw one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from sqlalchemy import Connection

from skerry.catalog.decisions import list_versions, publish_version, withdraw_version
from skerry.catalog.deletions import finish_deletions
from skerry.core.ownership import Verb
from skerry.core.scopes import Scope
from skerry.models.versions import VersionList, Withdrawal
from skerry.services.access import check_change, check_seen
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, require
from skerry.services.stores import Stores

Reader = Annotated[Identity, Depends(require(Scope.CATALOG_READ))]
Reviewer = Annotated[Identity, Depends(require(Scope.CATALOG_REVIEW))]
Version = Annotated[int, Path(ge=1, lt=2**31)]

_VERSIONS = "/stac/collections/{collection_id}/items/{item_id}/versions"


def create_stac_versions_router(stores: Stores) -> APIRouter:
    """Return the routes below ``/stac/collections/<collection>/items/<item>/versions``.

    A decision names the version, so that nobody publishes a version that they have not seen.
    """
    router = create_router(prefix=_VERSIONS, tags=["stac"])

    @router.get("")
    def list_item_versions(collection_id: str, item_id: str, who: Reader) -> VersionList:
        """List the versions of an item, newest first."""
        with stores.reader.connect() as connection:
            check_seen(connection, who, collection_id, Verb.SEE, item=item_id)
            return _present(connection, collection_id, item_id)

    @router.post("/{version}/publish")
    def publish_item_version(
        collection_id: str, item_id: str, version: Version, who: Reviewer
    ) -> VersionList:
        """Publish a preliminary version; the version published before it is superseded."""
        with stores.change(who) as connection:
            check_change(connection, who, collection_id, item=item_id)
            publish_version(connection, collection_id, item_id, version, by=who.account)
            return _present(connection, collection_id, item_id)

    @router.post("/{version}/withdraw")
    def withdraw_item_version(
        collection_id: str, item_id: str, version: Version, withdrawal: Withdrawal, who: Reviewer
    ) -> VersionList:
        """Withdraw a version for a reason; no earlier version takes its place.

        Its record stays. People who could see the version are told the reason; operators still see
        it.
        """
        with stores.change(who) as connection:
            check_change(connection, who, collection_id, item=item_id)
            withdraw_version(
                connection, collection_id, item_id, version, by=who.account,
                reason=withdrawal.reason, delete_bytes=withdrawal.delete_bytes,
            )  # fmt: skip
            versions = _present(connection, collection_id, item_id)
        if withdrawal.delete_bytes:
            finish_deletions(stores.writer, stores.objects)
        return versions

    return router


def _present(connection: Connection, collection: str, identifier: str) -> VersionList:
    return VersionList(versions=list_versions(connection, collection, identifier))
