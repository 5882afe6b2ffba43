"""Grants: the api gives a prefix to read or write; the data do not pass through the api."""

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
from skerry.storage.signed import ApiSigner


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

    answer = ask()
    return _read_grant(answer, open_granted(answer, ask, _sign(session, order)))


def grant_writing(session: Session, purpose: Purpose) -> Grant:
    """Ask for a new folder to write into.

    Parameters
    ----------
    session
        The session of the account that writes.
    purpose
        `Purpose.IMPORT` or `Purpose.SANDBOX`.
    """
    answer, objects = _open_held(session, WriteRequest(purpose=purpose))
    return _read_grant(answer, objects)


@lru_cache(maxsize=1)
def grant_run_folder(session: Session, run: str, epoch: int) -> RunFolder:
    """Ask for permission to write into the folder of a run's attempt, once in a process."""
    order = WriteRequest(purpose=Purpose.RUN, run=run, epoch=epoch)
    return RunFolder(_open_held(session, order)[1], run, epoch)


def _open_held(session: Session, order: WriteRequest) -> tuple[grants.Grant, Objects]:
    """Ask for a grant to write; return the api's answer and the object store under the grant.

    While the work lasts, the grant's credentials are asked for anew.
    """
    answer = session.fetch(grants.Grant, "POST", "grants", json=order)
    held = answer.id or ""

    def renew() -> grants.Grant:
        return session.fetch(grants.Grant, "POST", join_address("grants", held, "access"))

    return answer, open_granted(answer, renew, _sign(session, HeldGrant(grant=held)))


def _sign(session: Session, under: Held) -> ApiSigner:
    """Return who asks for signed addresses, where the store gives no credentials."""
    return ApiSigner(lambda path, order: session.request("POST", path, json=order), under)


def _read_grant(answer: grants.Grant, objects: Objects) -> Grant:
    return Grant(id=answer.id or "", prefix=answer.prefix, objects=objects, expires=answer.expires)
