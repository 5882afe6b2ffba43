"""Folders and files of products that are there whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skerry.core.errors import ConflictError, InvalidInputError


def check_free(target: Path) -> None:
    """Refuse a target that exists, or whose folder does not.

    Raises
    ------
    ConflictError
        If something is there.
    InvalidInputError
        If there is no folder to write it into.
    """
    if target.exists() or target.is_symlink():
        raise ConflictError(
            f"{target} exists already.", remedy="Remove it or write to another place."
        )
    if not target.absolute().parent.is_dir():
        raise InvalidInputError(
            f"The folder of {str(target)!r} does not exist.", remedy="Make it, or name another."
        )


@contextmanager
def writing_folder(target: Path) -> Iterator[Path]:
    """Give a folder beside `target` to fill; it takes the name when the block ends well.

    Raises
    ------
    ConflictError
        If `target` exists.
    """
    check_free(target)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir()
        yield partial
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
