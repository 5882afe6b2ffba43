"""Opening a GeoZarr that a test has written into a folder."""

from pathlib import Path

from skerry.maps import opening
from skerry.maps.levels import Pyramid
from skerry.storage.object_folder import ObjectFolder


def open_pyramid(path: Path, variable: str, version: str, *, root: Path | None = None) -> Pyramid:
    """Open the levels of a variable; `root` is the object store, by default the folder above."""
    root = root or path.parent
    key = path.relative_to(root).as_posix()
    return opening.open_pyramid(ObjectFolder(root), key, variable, version)
