"""Products that appear under their name when they are complete, new or in place of old ones."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skerry.core.errors import InvalidInputError


@contextmanager
def make_aside(target: Path) -> Iterator[Path]:
    """Give a name beside `target` to write to; after the block it takes the target's place.

    The name ends as the target's does, so that writers choose the same form. What an interrupted
    run left beside the target is removed first; if the block fails, what it wrote is too, and
    the target stays as it was.

    Raises
    ------
    InvalidInputError
        If the folder cannot be written.
    """
    aside = target.with_name(f".aside-{target.name}")
    old = target.with_name(f".old-{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for one in (aside, old):
            remove(one)
    except OSError as error:
        raise InvalidInputError(
            f"{target} cannot be written: {error.strerror} ({error.filename}).",
            remedy="Name another place.",
        ) from None
    try:
        yield aside
        if target.exists():
            target.rename(old)
        aside.rename(target)
        remove(old)
    finally:
        remove(aside)


def remove(path: Path) -> None:
    """Remove a file or a folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
