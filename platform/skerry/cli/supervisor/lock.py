"""Only one supervisor for each data folder: an exclusive lock that names its holder."""

from contextlib import AbstractContextManager

from skerry.cli.supervisor.record import PlatformRecord
from skerry.core.errors import ConflictError
from skerry.storage.layout import DataFolder
from skerry.storage.locks import hold_lock


def hold_folder(folder: DataFolder) -> AbstractContextManager[None]:
    """Hold the data folder's lock for the length of a ``with`` block.

    Raises
    ------
    ConflictError
        If a platform already runs on this data folder; names its process and address.
    """
    return hold_lock(folder.lock, lambda pid: _describe_holder(folder, pid))


def _describe_holder(folder: DataFolder, pid: str) -> ConflictError:
    record = PlatformRecord.read(folder)
    address = f" at {record.url}" if record is not None else ""
    return ConflictError(
        f"A platform already runs on {folder.root}: process {pid}{address}.",
        remedy="Stop it with 'skerry down', or name another folder with --data.",
    )
