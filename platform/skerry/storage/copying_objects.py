"""Bytes copied from one object store into another, of either kind, and compared."""

from skerry.core.errors import NotFoundError
from skerry.storage.objects import Objects


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
