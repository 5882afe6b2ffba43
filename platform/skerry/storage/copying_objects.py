"""Bytes copied from one object store into another, of either kind, and compared."""

from collections.abc import Iterable, Iterator

from skerry.core.errors import ConflictError, NotFoundError
from skerry.storage.at_once import do_at_once
from skerry.storage.objects import Objects

_PREFIXES = 4
"""How many prefixes are copied at a time, each of them with several requests under way."""


def copy_prefix(source: Objects, target: Objects, prefix: str) -> str | None:
    """Copy the files below a prefix over what is there in the target; return their digest.

    None if the source has nothing there; then the target stays as it is.

    Raises
    ------
    ConflictError
        If the source's files change while they are copied.
    InvalidInputError
        If they cannot be read, or the target cannot be written.
    """
    try:
        with target.replacing(prefix) as folder:
            return source.copy_to(prefix, folder)
    except NotFoundError:
        return None


def carry_over(
    source: Objects, target: Objects, prefixes: Iterable[str]
) -> Iterator[tuple[str, str | None]]:
    """Copy what the target does not have below prefixes; yield each with its digest in both.

    The digest is None if the source has nothing there. What was copied is read again in the
    target, and compared.

    Raises
    ------
    ConflictError, InvalidInputError
        As of `copy_prefix`; also if the target has other bytes than were copied.
    """

    def carry(prefix: str) -> tuple[str, str | None]:
        there = target.digest(prefix)
        if there is not None and there == source.digest(prefix):
            return prefix, there
        digest = copy_prefix(source, target, prefix)
        if digest is not None and target.digest(prefix) != digest:
            raise ConflictError(
                f"The bytes at {target.address}{prefix} are not those that were copied there.",
                remedy="Find out who else writes there, or what is wrong with the disk or the "
                "store, and copy again.",
            )
        return prefix, digest

    yield from do_at_once(carry, prefixes, _PREFIXES)
