"""Grants: the api gives a prefix to read or write; the data do not pass through the api."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from skerry.client.references import ItemReference
from skerry.client.session import Session
from skerry.core.errors import ForbiddenError, NotFoundError, UnavailableError


@dataclass(frozen=True)
class Grant:
    """Permission to read or write below a prefix, for a limited time.

    Attributes
    ----------
    id
        Its name at the api.
    prefix
        Store key prefix relative to the objects root, with a trailing slash.
    root
        The objects root on this machine.
    expires
        RFC 3339.
    """

    id: str
    prefix: str
    root: Path
    expires: str

    @property
    def folder(self) -> Path:
        """The granted folder."""
        return self.root / self.prefix

    def locate(self, key: str) -> Path:
        """Return the path of a store key under this grant.

        Raises
        ------
        ForbiddenError
            If the key lies outside of the granted prefix.
        NotFoundError
            If there is nothing at the key.
        """
        if ".." in PurePosixPath(key).parts or not f"{key}/".startswith(self.prefix):
            raise ForbiddenError(
                f"The key {key!r} lies outside of the granted {self.prefix!r}.",
                remedy="The item is inconsistent: delete it and import its product again.",
            )
        path = self.root / key
        if not path.exists():
            raise NotFoundError(
                f"The bytes of {key!r} are gone from {self.root}.",
                remedy="Delete the item and import its product again.",
            )
        return path


def grant_reading(session: Session, reference: ItemReference) -> Grant:
    """Ask for permission to read one item's files."""
    body = {"mode": "read", "collection": reference.collection, "item": reference.item}
    return _read_grant(session, session.request("POST", "grants", json=body))


def grant_writing(session: Session, purpose: str) -> Grant:
    """Ask for a new folder to write into.

    Parameters
    ----------
    session
        The session of the account that writes.
    purpose
        ``"import"`` or ``"sandbox"``.
    """
    body = {"mode": "write", "purpose": purpose}
    grant = _read_grant(session, session.request("POST", "grants", json=body))
    grant.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return grant


def _read_grant(session: Session, answer: dict[str, Any]) -> Grant:
    """Turn the api's answer into a grant; refuse a folder that this machine cannot reach."""
    address = urlsplit(answer["root"])
    root = Path(unquote(address.path))
    if address.scheme != "file" or not root.is_dir():
        raise UnavailableError(
            f"The platform at {session.url} keeps its files in {answer['root']}, "
            "which is not a folder on this machine.",
            remedy="Work in a notebook server of that platform, or on the machine it runs on.",
        )
    return Grant(id=answer["id"], prefix=answer["prefix"], root=root, expires=answer["expires"])
