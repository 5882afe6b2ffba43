"""Grants over HTTP: the api gives a prefix; the data do not pass through the api."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Connection

from skerry.catalog.deletions import finish_deletions, release_expired, release_grant
from skerry.catalog.items import find_item
from skerry.core.disk import check_space
from skerry.core.errors import ForbiddenError, NotFoundError, UnauthenticatedError
from skerry.core.scopes import Scope
from skerry.core.time import from_microseconds, utc_now
from skerry.models.grants import Grant, GrantRequest, Purpose, ReadRequest, WriteRequest
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, identify, refuse_unseen, require
from skerry.services.stac_links import Addresses
from skerry.services.stores import Stores, sees_private
from skerry.storage.grants import WRITE_LIFE_S, create_grant, find_grant

CheckRun = Callable[[Connection, Identity, str, int], float]
"""Raises unless the identity's token is the one of attempt (run, epoch) and that is current.

Returns how many seconds the attempt may still take."""


def create_grants_router(stores: Stores, public_url: str, check_run: CheckRun) -> APIRouter:
    """Return the routes below ``/grants``."""
    router = create_router(prefix="/grants", tags=["grants"])
    addresses = Addresses(public_url)

    @router.post("", status_code=201)
    def request_grant(
        grant_request: GrantRequest,
        identity: Annotated[Identity | None, Depends(identify())],
    ) -> Grant:
        """Give a prefix for reading one item or for writing new data, for a limited time."""
        if isinstance(grant_request, ReadRequest):
            return _grant_reading(stores, addresses, grant_request, identity)
        return _grant_writing(stores, grant_request, identity, check_run)

    @router.delete("/{grant_id}", status_code=204)
    def delete_grant(
        grant_id: str, identity: Annotated[Identity, Depends(require(Scope.CATALOG_WRITE))]
    ) -> None:
        """Give a write grant back; its files are removed unless an item uses them."""
        with stores.writer.begin() as connection:
            grant = find_grant(connection, grant_id)
            if grant is None or grant.owner != identity.name:
                raise NotFoundError(
                    f"{identity.name!r} holds no grant {grant_id[:60]!r}.", remedy="Check its id."
                )
            release_grant(connection, grant)
        finish_deletions(stores.writer, stores.objects)

    return router


def _grant_reading(
    stores: Stores, addresses: Addresses, grant_request: ReadRequest, identity: Identity | None
) -> Grant:
    private = sees_private(identity)
    with stores.reader.connect() as connection:
        item = find_item(connection, grant_request.collection, grant_request.item, private=private)
    if item is None:
        what = f"item {grant_request.item!r} of collection {grant_request.collection!r}"
        raise refuse_unseen(identity, Scope.CATALOG_READ, what)
    return Grant(
        id=None,
        mode="read",
        prefix=item.prefix,
        # a reader without an account must not see paths on this machine
        root=stores.objects.address if private else addresses.files,
        expires=utc_now() + timedelta(seconds=WRITE_LIFE_S),
    )


def _grant_writing(
    stores: Stores, grant_request: WriteRequest, identity: Identity | None, check_run: CheckRun
) -> Grant:
    scope = Scope.RUN_PUBLISH if grant_request.purpose is Purpose.RUN else Scope.CATALOG_WRITE
    if identity is None:
        raise UnauthenticatedError("Writing needs a token.", remedy="Send a hub token, or log in.")
    if not identity.may(scope):
        raise ForbiddenError(
            f"The token of {identity.name!r} lacks the scope {scope}.",
            remedy="Use a token with that scope.",
        )
    if grant_request.purpose is not Purpose.RUN:  # a run's space was checked at its start
        check_space(stores.data.root, "Writing a new product")
    release_expired(stores.writer)
    life_s: float = WRITE_LIFE_S
    with stores.writer.begin() as connection:
        if grant_request.purpose is Purpose.RUN:
            attempt = (grant_request.run or "", grant_request.epoch or 0)
            life_s = check_run(connection, identity, *attempt)
        grant = create_grant(
            connection,
            grant_request.purpose,
            identity.name,
            run=grant_request.run,
            epoch=grant_request.epoch,
            life_s=life_s,
        )
    stores.objects.prepare(grant.prefix)
    finish_deletions(stores.writer, stores.objects)
    return Grant(
        id=grant.id, mode="write", prefix=grant.prefix, root=stores.objects.address,
        expires=from_microseconds(grant.expires),
    )  # fmt: skip
