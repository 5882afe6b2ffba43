"""What takes space in a data folder, and which part of it can be removed without harm.

It works on a full disk: first it removes files that it can judge without the database. That
makes the room that opening the database may need.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from skerry.core.disk import measure_tree
from skerry.core.errors import SkerryError
from skerry.core.time import utc_now
from skerry.production.executors.places import list_places
from skerry.production.runs import ACTIVE
from skerry.production.tables import jobs, releases, runs
from skerry.storage.database import find_database, is_server, open_database
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects
from skerry.storage.objects import Objects
from skerry.storage.run_folder import RunFile, list_run_folders

DEFAULT_DAYS = 30
_DAY_S = 86_400
_FAMILIES = (
    ("home folders", "users"), ("environments", "environments"),
    ("databases", "state"), ("logs", "logs"), ("clusters", "clusters"), ("scratch", "run"),
)  # fmt: skip


@dataclass(frozen=True)
class Removable:
    """A file or folder that can be removed.

    Attributes
    ----------
    kind
        What it is, in words.
    place
        A path in the data folder, or a key or prefix of the object store.
    size
        Its bytes.
    objects
        The object store, if it is there.
    """

    kind: str
    place: str
    size: int
    objects: Objects | None = None

    def remove(self) -> None:
        """Remove it; it is not an error when it is gone already."""
        if self.objects is not None:
            with suppress(OSError, SkerryError):
                self.objects.remove(self.place)
        elif (path := Path(self.place)).is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def measure_families(data: DataFolder) -> dict[str, int]:
    """Return how many bytes each family of files takes, the largest first.

    Executed notebooks and logs of runs are counted apart from the products beside them.
    """
    objects = open_objects(data)
    sizes = {name: measure_tree(data.root / folder) for name, folder in _FAMILIES}
    pages = sum(
        objects.measure(file.key)
        for folder in list_run_folders(objects)
        for file in folder.list_files().values()
    )
    sizes["products"] = max(0, objects.measure("") - pages)
    sizes["notebooks and logs of runs"] = pages
    return dict(sorted(sizes.items(), key=lambda entry: -entry[1]))


def clean(
    data: DataFolder, *, days: int = DEFAULT_DAYS, pretend: bool = False
) -> tuple[list[Removable], bool]:
    """Remove what is safe to remove.

    Parameters
    ----------
    days
        Number of days that executed notebooks, and attempts that were not published, stay.
    pretend
        Only list what would be removed.

    Returns
    -------
    list, bool
        What was removed, and whether the database could be read: without it, attempts and
        environments stay.
    """
    objects = open_objects(data)
    entries = []
    for entry in (*_list_scratch(data), *_list_old_logs(data), *_list_old_notebooks(objects, days)):
        entries.append(entry)
        if not pretend:
            entry.remove()
    try:
        judged = _list_by_database(data, objects, days)
    except OperationalError:
        return entries, False
    places = {entry.place for entry in entries}
    judged = [entry for entry in judged if entry.place not in places]
    if not pretend:
        for entry in judged:
            entry.remove()
    return [*entries, *judged], True


def _list_scratch(data: DataFolder) -> Iterator[Removable]:
    """List scratch folders of attempts whose process is gone, and environments half built."""
    for places in list_places(data.run):
        if not places.is_alive():
            for path in filter(Path.is_dir, (places.temporary, places.work)):
                yield _weigh("scratch of an attempt that ended", path)
    for folder in sorted(data.environments.glob("*.partial")):
        if _is_old(folder.stat().st_mtime, days=1):
            yield _weigh("environment that was not finished", folder)


def _list_old_logs(data: DataFolder) -> Iterator[Removable]:
    for path in sorted(data.logs.glob("*.log.*")):
        yield _weigh("older part of a log", path)


def _list_old_notebooks(objects: Objects, days: int) -> Iterator[Removable]:
    for folder in list_run_folders(objects):
        for name, file in folder.list_files().items():
            if name in (RunFile.EXECUTED, RunFile.PAGE) and _is_old(file.modified, days):
                yield _weigh_object(f"executed notebook older than {days} days", objects, file.key)


def _list_by_database(data: DataFolder, objects: Objects, days: int) -> list[Removable]:
    url = find_database(data)
    if not is_server(url) and not data.database.is_file():
        return []
    engine = open_database(url, read_only=True)
    try:
        with engine.connect() as connection:
            return [
                *_list_attempts_not_published(connection, objects, days),
                *_list_unused_environments(connection, data),
            ]
    finally:
        engine.dispose()


def _list_attempts_not_published(
    connection: Connection, objects: Objects, days: int
) -> Iterator[Removable]:
    """List attempts without published products, of runs that have ended."""
    before = utc_now() - timedelta(days=days)
    ended = select(runs.c.id, runs.c.published_epoch).where(
        runs.c.status.not_in(ACTIVE), runs.c.ended_at < before
    )
    published = {row.id: row.published_epoch for row in connection.execute(ended)}
    for folder in list_run_folders(objects):
        if folder.run in published and folder.epoch != published[folder.run]:
            yield _weigh_object(
                f"attempt without products, older than {days} days", objects, folder.prefix
            )


def _list_unused_environments(connection: Connection, data: DataFolder) -> Iterator[Removable]:
    """List built environments that no job and no active run uses; they can be built again."""
    active = select(runs.c.release_id).where(runs.c.status.in_(ACTIVE))
    in_use = select(releases.c.environment_digest).where(
        releases.c.id.in_(select(jobs.c.release_id)) | releases.c.id.in_(active)
    )
    digests = set(connection.execute(in_use).scalars())
    for folder in sorted(data.environments.iterdir()):
        if folder.is_dir() and folder.suffix != ".partial" and folder.name not in digests:
            yield _weigh("environment that no job uses", folder)


def _weigh(kind: str, path: Path) -> Removable:
    return Removable(kind, str(path), measure_tree(path))


def _weigh_object(kind: str, objects: Objects, key: str) -> Removable:
    return Removable(kind, key, objects.measure(key), objects)


def _is_old(moment: float, days: int) -> bool:
    return time.time() - moment > days * _DAY_S
