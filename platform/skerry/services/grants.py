"""Grants over HTTP: the api gives a prefix; the data do not pass through the api."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from sqlalchemy import Connection

from skerry.catalog.deletions import finish_deletions, release_expired, release_grant
from skerry.catalog.items import StoredItem, find_item
from skerry.core.disk import check_space
from skerry.core.errors import (
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from skerry.core.scopes import Scope
from skerry.core.settings import read_grants_way
from skerry.core.time import count_microseconds, from_microseconds, utc_now
from skerry.models.grants import (
    BucketAccess,
    Grant,
    GrantKind,
    GrantRequest,
    Purpose,
    ReadRequest,
    WriteRequest,
)
from skerry.models.signing import (
    Held,
    HeldGrant,
    Listing,
    ListingRequest,
    SignedAddresses,
    SigningRequest,
)
from skerry.models.signing import Method as SignedMethod
from skerry.services.access import check_kept, find_viewer, refuse_item
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, identify, require
from skerry.services.stac_links import Addresses
from skerry.services.stores import Stores
from skerry.storage import grants
from skerry.storage.grants import WRITE_LIFE_S, create_grant, find_grant, forget_grant
from skerry.storage.objects import Objects
from skerry.storage.signing import SigningPrefix

Visitor = Annotated[Identity | None, Depends(identify())]
CheckRun = Callable[[Connection, Identity, str, int], float]
"""Raises an error unless the token is that of the attempt (run, epoch), and the attempt is current.

Returns how many seconds the attempt may still take."""


def create_grants_router(stores: Stores, public_url: str, check_run: CheckRun) -> APIRouter:
    """Return the routes below ``/grants``."""
    read_grants_way()  # a wrong value ends the start, not the first grant
    router = create_router(prefix="/grants", tags=["grants"])
    _add_grants(router, stores, Addresses(public_url), check_run)
    _add_signing(router, stores, check_run)
    return router


def _add_grants(
    router: APIRouter, stores: Stores, addresses: Addresses, check_run: CheckRun
) -> None:
    @router.post("", status_code=201)
    def request_grant(grant_request: GrantRequest, identity: Visitor) -> Grant:
        """Give a prefix for reading one item or for writing new data, for a limited time."""
        if isinstance(grant_request, ReadRequest):
            return _grant_reading(stores, addresses, grant_request, identity)
        return _grant_writing(stores, grant_request, identity, check_run)

    @router.post("/{grant_id}/access")
    def renew_access(grant_id: str, identity: Visitor) -> Grant:
        """Give a write grant's credentials anew, for work that takes longer than they last."""
        with stores.reader.connect() as connection:
            grant = _check_held(connection, identity, grant_id, check_run)
        return _answer_writing(stores.objects, grant)

    @router.delete("/{grant_id}", status_code=204)
    def delete_grant(
        grant_id: str, identity: Annotated[Identity, Depends(require(Scope.CATALOG_WRITE))]
    ) -> None:
        """Give a write grant back; its files are removed unless an item uses them."""
        with stores.change(identity) as connection:
            release_grant(connection, _find_own(connection, identity, grant_id))
        finish_deletions(stores.writer, stores.objects)


def _add_signing(router: APIRouter, stores: Stores, check_run: CheckRun) -> None:
    @router.post("/addresses")
    def sign_addresses(order: SigningRequest, identity: Visitor) -> SignedAddresses:
        """Sign requests for some files below a granted prefix; for some minutes."""
        if isinstance(order.under, ReadRequest) and order.method is SignedMethod.PUT:
            raise ForbiddenError(
                "A grant to read signs no PUT.", remedy="Ask for a grant to write a new item."
            )
        prefix = _open_prefix(stores, order.under, identity, check_run)
        return prefix.sign(order.method, order.names, order.further)

    @router.post("/files")
    def list_granted_files(order: ListingRequest, identity: Visitor) -> Listing:
        """List the files below a granted prefix, page by page."""
        prefix = _open_prefix(stores, order.under, identity, check_run)
        return prefix.list_files(order.folder, deep=order.deep, after=order.after)


def _check_held(
    connection: Connection, identity: Identity | None, grant_id: str, check_run: CheckRun
) -> grants.Grant:
    """Return a write grant that the identity still holds; refuse every other."""
    identity = _check_known(identity)
    grant = _find_own(connection, identity, grant_id)
    _check_scope(identity, _choose_scope(Purpose(grant.purpose)))
    if grant.expires <= count_microseconds(utc_now()):
        raise ForbiddenError(f"The grant {grant_id!r} has expired.", remedy="Ask for a new grant.")
    if grant.run is not None:
        check_run(connection, identity, grant.run, grant.epoch or 0)
    return grant


def _open_prefix(
    stores: Stores, under: Held, identity: Identity | None, check_run: CheckRun
) -> SigningPrefix:
    """Return the prefix of a grant that the identity holds, where grants are signed addresses."""
    identity = _check_known(identity)
    with stores.reader.connect() as connection:
        if isinstance(under, HeldGrant):
            prefix = _check_held(connection, identity, under.grant, check_run).prefix
        else:
            prefix = _find_readable(connection, identity, under).prefix
            _check_scope(identity, Scope.CATALOG_READ)
    if _find_kind(stores.objects) is not GrantKind.ADDRESSES:
        raise InvalidInputError(
            "This platform signs no addresses: its grants open the object store in another way.",
            remedy="Ask for a grant with POST /services/api/grants; its kind says how.",
        )
    return SigningPrefix(stores.objects.address, prefix)


def _find_readable(
    connection: Connection, identity: Identity | None, order: ReadRequest
) -> StoredItem:
    """Return an item that the identity may read, and whose bytes are there."""
    name = (order.collection, order.item)
    item = find_item(connection, *name, viewer=find_viewer(connection, identity))
    if item is None:
        raise refuse_item(connection, identity, *name)
    check_kept(item)
    return item


def _grant_reading(
    stores: Stores, addresses: Addresses, grant_request: ReadRequest, identity: Identity | None
) -> Grant:
    with stores.reader.connect() as connection:
        item = _find_readable(connection, identity, grant_request)
    expires = utc_now() + timedelta(seconds=WRITE_LIFE_S)
    has_account = identity is not None and identity.may(Scope.CATALOG_READ)
    if not has_account:  # a reader without an account must not see paths on this machine
        return Grant(
            id=None, mode="read", prefix=item.prefix, root=addresses.files, expires=expires,
            kind=GrantKind.FOLDER,
        )  # fmt: skip
    access = _find_access(stores.objects, item.prefix, "read")
    return Grant(
        id=None, mode="read", prefix=item.prefix, root=stores.objects.address,
        expires=access.expires if access else expires, kind=_find_kind(stores.objects),
        access=access,
    )  # fmt: skip


def _grant_writing(
    stores: Stores, grant_request: WriteRequest, identity: Identity | None, check_run: CheckRun
) -> Grant:
    identity = _check_known(identity)
    _check_scope(identity, _choose_scope(grant_request.purpose))
    if grant_request.purpose is not Purpose.RUN:  # a run's space was checked at its start
        check_space(stores.data.root, "Writing a new product")
    release_expired(stores.writer)
    life_s: float = WRITE_LIFE_S
    with stores.change(identity) as connection:
        if grant_request.purpose is Purpose.RUN:
            attempt = (grant_request.run or "", grant_request.epoch or 0)
            life_s = check_run(connection, identity, *attempt)
        grant = create_grant(
            connection,
            grant_request.purpose,
            identity.account,
            run=grant_request.run,
            epoch=grant_request.epoch,
            life_s=life_s,
        )
    stores.objects.prepare(grant.prefix)
    finish_deletions(stores.writer, stores.objects)
    try:
        return _answer_writing(stores.objects, grant)
    except UnavailableError:
        with stores.change(identity) as connection:
            forget_grant(connection, grant.id)  # its id was sent to nobody
        raise


def _check_known(identity: Identity | None) -> Identity:
    if identity is None:
        raise UnauthenticatedError("Grants need a token.", remedy="Send a hub token, or log in.")
    return identity


def _choose_scope(purpose: Purpose) -> Scope:
    """Return the scope that a token needs to write for a purpose."""
    return Scope.RUN_PUBLISH if purpose is Purpose.RUN else Scope.CATALOG_WRITE


def _check_scope(identity: Identity, scope: Scope) -> None:
    if not identity.may(scope):
        raise ForbiddenError(
            f"The token of {identity.account!r} lacks the scope {scope}.",
            remedy="Use a token with that scope.",
        )


def _find_own(connection: Connection, identity: Identity, grant_id: str) -> grants.Grant:
    """Return a write grant of this account; refuse those of others as if they were not there."""
    grant = find_grant(connection, grant_id)
    if grant is None or grant.owner != identity.account:
        raise NotFoundError(
            f"{identity.account!r} holds no grant {grant_id[:60]!r}.", remedy="Check its id."
        )
    return grant


def _answer_writing(objects: Objects, grant: grants.Grant) -> Grant:
    access = _find_access(objects, grant.prefix, "write")
    return Grant(
        id=grant.id, mode="write", prefix=grant.prefix, root=objects.address,
        expires=from_microseconds(grant.expires), kind=_find_kind(objects), access=access,
    )  # fmt: skip


def _find_kind(objects: Objects) -> GrantKind:
    return GrantKind(read_grants_way()) if objects.address.startswith("s3:") else GrantKind.FOLDER


def _find_access(
    objects: Objects, prefix: str, mode: Literal["read", "write"]
) -> BucketAccess | None:
    """Return credentials for a prefix of a bucket; None where the way to it is another."""
    if _find_kind(objects) is not GrantKind.CREDENTIALS:
        return None
    from skerry.storage.credentials import find_token_service  # signing takes a moment to import

    return find_token_service().issue(objects.address, prefix, mode)
