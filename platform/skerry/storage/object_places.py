"""Which object store a platform has, and how those who work under a grant reach it."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from skerry.core.errors import UnavailableError
from skerry.storage.layout import DataFolder
from skerry.storage.object_folder import ObjectFolder
from skerry.storage.objects import Objects


def open_objects(data: DataFolder) -> Objects:
    """Return the object store of a platform."""
    return ObjectFolder(data.objects)


def open_granted(root: str) -> Objects:
    """Return the object store whose root a grant names, such as ``file:///data/objects/``.

    Raises
    ------
    UnavailableError
        If it is not a folder on this machine.
    """
    address = urlsplit(root)
    folder = Path(unquote(address.path))
    if address.scheme != "file" or not folder.is_dir():
        raise UnavailableError(
            f"The platform keeps its files in {root}, which is not a folder on this machine.",
            remedy="Work in a notebook server of that platform, or on the machine it runs on.",
        )
    return ObjectFolder(folder)
