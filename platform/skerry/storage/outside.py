"""Refuses links that lead out of a product; every reader asks this module.

A product from elsewhere may point at any file that its reader can read: by symbolic links in
folders, by external links, external storage and virtual data sets in HDF5, by files beside a
raster that GDAL reads along with it. The reader would then show the content of that file.

This is for libraries that open files by their paths; `skerry.storage.beneath` opens files that
others may change meanwhile.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from skerry.core.errors import InvalidInputError

RASTERS_ALONE = {
    # no sidecar files: .aux.xml, .ovr, .msk, world files; they may name further files
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
}
"""GDAL's options under which a raster file is read without any other file."""

_REMEDY = "Fetch the product again from its provider; a product holds its bytes itself."
_PLAIN_LINKS = 1  # HDF5's hard links are 0, soft links 1: both stay in the file


def check_inside(root: Path, path: Path) -> Path:
    """Return a path in a product's folder, refused if a symbolic link leads it out.

    Parameters
    ----------
    root
        The product's folder. A link in its own path is allowed: its owner chose it.
    path
        A path below it, which need not exist.

    Raises
    ------
    InvalidInputError
        If it leads out of `root`, by ``..`` or by a symbolic link.
    """
    above, below = str(root), str(path)
    parts = below.removeprefix(above).lstrip("/").split("/")
    if not below.startswith(above) or ".." in parts or not _has_no_links(above, parts):
        inside = os.path.realpath(below).startswith(f"{os.path.realpath(above)}/")
        if ".." in parts or not inside:
            raise _refuse(f"{path} leads out of {root}")
    return path


def check_key_inside(root: Path, key: str) -> None:
    """Refuse a key of a store in the folder `root` as `check_inside` does."""
    if key:
        check_inside(root, root / key)


def check_hdf5(group: Any, label: str, also: Callable[[Any, str], None]) -> None:
    """Refuse an HDF5 file or group with anything that is kept in another file.

    Parameters
    ----------
    group
        An open `h5py.File` or `h5py.Group`.
    label
        Its name in messages.
    also
        Another check of each group and data set, in the same walk through the file: called
        with what HDF5 says about it (`h5py.h5o.ObjInfo`) and its name for messages.

    Raises
    ------
    InvalidInputError
        Naming the first link or data set that leads out of the file.
    """
    from h5py import h5o  # type: ignore[import-untyped]

    def find_fault(name: bytes, info: Any) -> Exception | None:
        link = f"/{name.decode('utf-8', 'replace')} in {label}"
        if info.type > _PLAIN_LINKS:
            return _refuse(f"The link {link} leads into another file")
        try:  # HDF5 is written in C: what is raised in its visit would be lost
            if info.type < _PLAIN_LINKS:
                facts = h5o.get_info(group.id, name)
                also(facts, link)
                if facts.type == h5o.TYPE_DATASET:
                    _check_layout(h5o.open(group.id, name), link)
        except (InvalidInputError, OSError, RuntimeError, LookupError, ValueError) as error:
            return error
        return None

    fault = group.id.links.visit(find_fault, info=True)
    if fault is not None:
        raise fault


def open_dataset(file: Any, name: str, label: str) -> Any:
    """Return a data set of an open `h5py.File`, refused if its values are kept in another file.

    Raises
    ------
    InvalidInputError
        If a link on the way, or the data set itself, leads out of the file.
    KeyError
        If it is not there.
    """
    import h5py

    above = file
    for part in filter(None, name.split("/")):
        if isinstance(above.get(part, getlink=True), h5py.ExternalLink):
            raise _refuse(f"The link {part} to {label} leads into another file")
        above = above[part]
    if isinstance(above, h5py.Dataset):
        if above.file.id != file.id:
            raise _refuse(f"{label} stands in another file")
        _check_layout(above.id, label)
    return above


def _check_layout(dataset: Any, label: str) -> None:
    from h5py import h5d

    plan = dataset.get_create_plist()
    if plan.get_layout() == h5d.VIRTUAL:
        raise _refuse(f"The data set {label} is virtual: its values are in other files")
    if plan.get_external_count():
        raise _refuse(f"The data set {label} keeps its values in another file")


def _has_no_links(folder: str, parts: list[str]) -> bool:
    """Tell whether no part of a path below a folder is a link; nothing is remembered of it."""
    for part in parts:
        folder = f"{folder}/{part}"
        try:
            if stat.S_ISLNK(os.lstat(folder).st_mode):
                return False
        except (OSError, ValueError):  # it does not exist, so nothing is below it
            break
    return True


def _refuse(what: str) -> InvalidInputError:
    return InvalidInputError(f"{what}.", remedy=_REMEDY)
