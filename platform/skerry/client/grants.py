"""Grants: the api gives a prefix to read or write; the data do not pass through the api."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime as Datetime  # noqa: N812
from functools import lru_cache
from pathlib import Path, PurePosixPath

from skerry.client.references import ItemReference
from skerry.client.session import Session, join_address
from skerry.core.errors import ForbiddenError, NotFoundError
from skerry.models import grants
from skerry.models.grants import Purpose, ReadRequest, WriteRequest
from skerry.models.signing import Held, HeldGrant
from skerry.storage.object_places import open_granted
from skerry.storage.objects import Objects
from skerry.storage.remote import RemotePath
from skerry.storage.run_folder import RunFolder
from skerry.storage.signed import ApiSigner, Signer


@dataclass(frozen=True)
class Grant:
    """Permission to read or write below a prefix, for a limited time.

    Attributes
    ----------
    id
        Its name at the api; empty for reading.
    prefix
        Store key prefix relative to the objects root, with a trailing slash.
    objects
        The object store.
    expires
        Its end.
    """

    id: str
    prefix: str
    objects: Objects
    expires: Datetime

    def locate(self, key: str) -> Path | RemotePath:
        """Return the place of a store key under this grant.

        Raises
        ------
        ForbiddenError
            If the key is outside of the granted prefix.
        NotFoundError
            If there is nothing at the key.
        """
        if ".." in PurePosixPath(key).parts or not f"{key}/".startswith(self.prefix):
            raise ForbiddenError(
                f"The key {key!r} is outside of the granted prefix {self.prefix!r}.",
                remedy="The item is inconsistent: delete it and import its product again.",
            )
        if not self.objects.exists(key):
            raise NotFoundError(
                f"The bytes of {key!r} are gone from {self.objects.address}.",
                remedy="Delete the item and import its product again.",
            )
        return self.objects.locate(key)


def grant_reading(session: Session, reference: ItemReference) -> Grant:
    """Ask for permission to read one item's files."""
    order = ReadRequest(collection=reference.collection, item=reference.item)

    def ask() -> grants.Grant:
        return session.fetch(grants.Grant, "POST", "grants", json=order)

    return _read_grant(ask(), ask, _sign(session, order))


def grant_writing(session: Session, purpose: Purpose) -> Grant:
    """Ask for a new folder to write into.

    Parameters
    ----------
    session
        The session of the account that writes.
    purpose
        `Purpose.IMPORT` or `Purpose.SANDBOX`.
    """
    order = WriteRequest(purpose=purpose)
    answer = session.fetch(grants.Grant, "POST", "grants", json=order)
    signer = _sign(session, HeldGrant(grant=answer.id or ""))
    return _read_grant(answer, lambda: _renew(session, answer), signer)


@lru_cache(maxsize=1)
def grant_run_folder(session: Session, run: str, epoch: int) -> RunFolder:
    """Ask for permission to write into the folder of a run's attempt, once in a process."""
    order = WriteRequest(purpose=Purpose.RUN, run=run, epoch=epoch)
    answer = session.fetch(grants.Grant, "POST", "grants", json=order)
    signer = _sign(session, HeldGrant(grant=answer.id or ""))
    objects = open_granted(answer, lambda: _renew(session, answer), signer)
    return RunFolder(objects, run, epoch)


def _renew(session: Session, answer: grants.Grant) -> grants.Grant:
    """Ask for a write grant's credentials anew."""
    return session.fetch(grants.Grant, "POST", join_address("grants", answer.id or "", "access"))


def _sign(session: Session, under: Held) -> ApiSigner:
    """Return who asks for signed addresses, where the store gives no credentials."""
    return ApiSigner(lambda path, order: session.request("POST", path, json=order), under)


def _read_grant(answer: grants.Grant, renew: Callable[[], grants.Grant], signer: Signer) -> Grant:
    """Turn the api's answer into a grant; refuse a folder that this machine cannot reach."""
    objects = open_granted(answer, renew, signer)
    return Grant(id=answer.id or "", prefix=answer.prefix, objects=objects, expires=answer.expires)
