"""A thing that can be removed, and how."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from skerry.core.disk import measure_tree
from skerry.models.upkeep import Entry, Kind
from skerry.storage.objects import Objects, StoredFile

YOUNG_S = 86_400.0
"""Files younger than this, in seconds, may belong to work whose record comes later."""


@dataclass(frozen=True)
class Removable:
    """A thing that can be removed.

    Attributes
    ----------
    kind, name, size, count
        As in `skerry.models.upkeep.Entry`.
    remove
        Removes it, and returns whether it did. It is no error when it is gone already.
    """

    kind: Kind
    name: str
    size: int
    remove: Callable[[], bool]
    count: int = 1

    def describe(self) -> Entry:
        """Return it as it is reported."""
        return Entry(kind=self.kind, name=self.name, size=self.size, count=self.count)


def weigh_path(kind: Kind, path: Path) -> Removable:
    """Return a file or folder of this machine as a thing to remove."""
    return Removable(kind, str(path), measure_tree(path), partial(_remove_path, path))


def weigh_prefix(kind: Kind, objects: Objects, key: str) -> Removable:
    """Return a file, or all below a prefix, of the object store as a thing to remove."""
    size = sum(file.size for file in list_whole(objects, key))
    return Removable(kind, key, size, partial(_remove_key, objects, key))


def list_whole(objects: Objects, key: str) -> list[StoredFile]:
    """Return the files below a prefix, or the file at a key."""
    if key.endswith("/"):
        return list(objects.list_files(key))
    parent = key.rpartition("/")[0] + "/"
    return [file for file in objects.list_files(parent, deep=False) if file.key == key]


def is_old(modified: float, age_s: float | None = None) -> bool:
    """Return whether a time, in seconds since 1970, lies further back than `YOUNG_S` or an age."""
    return time.time() - modified > (YOUNG_S if age_s is None else age_s)


def _remove_path(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return not path.exists()
    path.unlink(missing_ok=True)
    return True


def _remove_key(objects: Objects, key: str) -> bool:
    objects.remove(key)
    return True
