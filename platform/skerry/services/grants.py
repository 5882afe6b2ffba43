"""Grants over HTTP: the api gives a prefix; the data do not pass through the api."""

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from skerry.catalog.deletions import finish_deletions, release_expired, release_grant
from skerry.catalog.items import find_item
from skerry.core.disk import check_space
from skerry.core.errors import ForbiddenError, NotFoundError, UnauthenticatedError
from skerry.core.scopes import Scope
from skerry.core.time import format_time, from_microseconds, utc_now
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, identify, refuse_unseen, require
from skerry.services.stac_links import Addresses
from skerry.services.stores import Stores, sees_private
from skerry.storage.grants import WRITE_LIFE_S, Purpose, create_grant, find_grant

CheckRun = Callable[[Connection, Identity, str, int], None]
"""Raises unless the identity's token is the one of attempt (run, epoch) and that is current."""


class WriteRequest(BaseModel):
    """A request for permission to write new data."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["write"]
    purpose: Purpose
    run: str | None = None
    epoch: int | None = Field(default=None, ge=1, lt=2**31)


class ReadRequest(BaseModel):
    """A request for permission to read one item's data."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["read"]
    collection: str
    item: str


class GrantAnswer(BaseModel):
    """The place to write or read, and the end of the permission.

    Attributes
    ----------
    root
        Address of the store's root, ending in ``/``: ``file://`` where the folder is reachable on
        the same machine; https for readers without an account.
    """

    id: str | None
    mode: Literal["read", "write"]
    prefix: str
    root: str
    expires: str


def create_grants_router(stores: Stores, public_url: str, check_run: CheckRun) -> APIRouter:
    """Return the routes below ``/grants``."""
    router = create_router(prefix="/grants", tags=["grants"])
    addresses = Addresses(public_url)

    @router.post("", status_code=201)
    def ask_for_grant(
        asked: Annotated[WriteRequest | ReadRequest, Field(discriminator="mode")],
        identity: Annotated[Identity | None, Depends(identify())],
    ) -> GrantAnswer:
        """Give a prefix for reading one item or for writing new data, for a limited time."""
        if isinstance(asked, ReadRequest):
            return _grant_reading(stores, addresses, asked, identity)
        return _grant_writing(stores, asked, identity, check_run)

    @router.delete("/{grant_id}", status_code=204)
    def give_back(
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
    stores: Stores, addresses: Addresses, asked: ReadRequest, identity: Identity | None
) -> GrantAnswer:
    private = sees_private(identity)
    with stores.reader.connect() as connection:
        item = find_item(connection, asked.collection, asked.item, private=private)
    if item is None:
        what = f"item {asked.item!r} of collection {asked.collection!r}"
        raise refuse_unseen(identity, Scope.CATALOG_READ, what)
    until = utc_now().timestamp() + WRITE_LIFE_S
    return GrantAnswer(
        id=None,
        mode="read",
        prefix=item.prefix,
        # a reader without an account must not see paths on this machine
        root=stores.objects.address if private else addresses.files,
        expires=format_time(from_microseconds(int(until * 1e6))),
    )


def _grant_writing(
    stores: Stores, asked: WriteRequest, identity: Identity | None, check_run: CheckRun
) -> GrantAnswer:
    scope = Scope.RUN_PUBLISH if asked.purpose is Purpose.RUN else Scope.CATALOG_WRITE
    if identity is None:
        raise UnauthenticatedError("Writing needs a token.", remedy="Send a hub token, or log in.")
    if not identity.may(scope):
        raise ForbiddenError(
            f"The token of {identity.name!r} lacks the scope {scope}.",
            remedy="Use a token with that scope.",
        )
    if asked.purpose is not Purpose.RUN:  # a run's space was checked at its start
        check_space(stores.data.root, "Writing a new product")
    release_expired(stores.writer)
    with stores.writer.begin() as connection:
        if asked.purpose is Purpose.RUN:
            check_run(connection, identity, asked.run or "", asked.epoch or 0)
        grant = create_grant(
            connection, asked.purpose, identity.name, run=asked.run, epoch=asked.epoch
        )
    stores.objects.create_folder(grant.prefix)
    finish_deletions(stores.writer, stores.objects)
    expires = format_time(from_microseconds(grant.expires))
    return GrantAnswer(
        id=grant.id, mode="write", prefix=grant.prefix, root=stores.objects.address,
        expires=expires,
    )  # fmt: skip
