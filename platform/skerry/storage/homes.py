"""Where published bytes stay, so that nobody can change them: the one place that decides it.

In a folder they stay where they were written. In a bucket the author holds credentials that open
the place for writing, and nobody can take them back. So the store copies the bytes to a new prefix
below `HOMES`, which no credentials ever open for writing, and the item names that prefix.
"""

from typing import TYPE_CHECKING, TypeGuard

from skerry.core.errors import InvalidInputError
from skerry.core.ids import new_id
from skerry.storage.objects import Objects, check_prefix

if TYPE_CHECKING:  # not imported where the objects are in a folder
    from skerry.storage.bucket import Bucket

HOMES = "published/"
"""The prefix of all published bytes in a bucket."""


def has_homes(objects: Objects) -> "TypeGuard[Bucket]":
    """Return whether published bytes stay at another place than where their author wrote them."""
    return objects.address.startswith("s3:")


def choose_home(written: str) -> str:
    """Return a new prefix for bytes that were written below a prefix of a bucket.

    Each call gives another prefix: two registrations of the same bytes at the same time must not
    write into one place, because one of them may be published already.
    """
    return f"{HOMES}{check_prefix(written)}{new_id()}/"


def find_written(prefix: str) -> str:
    """Return the prefix below which the bytes of an item were written."""
    if not prefix.startswith(HOMES):
        return prefix
    return f"{prefix.removeprefix(HOMES)[:-1].rpartition('/')[0]}/"


def fill_home(bucket: "Bucket", written: str, home: str, digest: str) -> list[str]:
    """Copy bytes to the place where they stay, and check there that they are the announced ones.

    Parameters
    ----------
    bucket
        The object store.
    written, home
        From where to where, as `choose_home` says.
    digest
        What the author says of the bytes.

    Returns
    -------
    list of str
        The keys of the copies.

    Raises
    ------
    InvalidInputError
        If the copies have another digest: somebody writes there still, or the digest is wrong.
    UnavailableError
        If the store does not answer.
    """
    keys = bucket.copy_below(written, home)
    copied = bucket.digest(home)
    if copied is not None and copied != digest:  # without files, the check of assets says more
        raise InvalidInputError(
            f"The bytes at {written!r} have the digest {copied}, not {digest}.",
            remedy="Write them again under a new grant, and register them when nobody writes "
            "there any more.",
        )
    return keys
