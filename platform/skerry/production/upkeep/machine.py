"""What can go from this machine's own folders: scratch, older logs, environments."""

from collections.abc import Iterator
from functools import partial

from sqlalchemy import ColumnElement, Engine, select

from skerry.core.disk import measure_tree
from skerry.models.upkeep import Kind
from skerry.production.environments import remove_environment
from skerry.production.executors.places import list_places
from skerry.production.runs import ACTIVE
from skerry.production.tables import jobs, releases, runs
from skerry.production.upkeep.removable import Removable, is_old, weigh_path
from skerry.storage.database import reading
from skerry.storage.layout import DataFolder


def list_scratch(data: DataFolder) -> Iterator[Removable]:
    """List scratch folders of attempts whose process is gone, and environments half built."""
    for places in list_places(data.run):
        if not places.is_alive():
            for path in (places.temporary, places.work):
                if path.is_dir() and is_old(path.stat().st_mtime, 60.0):  # its process may start
                    yield weigh_path(Kind.SCRATCH, path)
    for folder in sorted(data.environments.glob("*.partial")):
        if is_old(folder.stat().st_mtime):
            yield weigh_path(Kind.UNFINISHED, folder)


def list_old_logs(data: DataFolder) -> Iterator[Removable]:
    """List the logs that have been replaced by newer ones."""
    for path in sorted(data.logs.glob("*.log.*")):
        yield weigh_path(Kind.LOG, path)


def list_environments(engine: Engine, data: DataFolder, *, idle: bool) -> Iterator[Removable]:
    """List built environments that no release and no active run uses.

    Parameters
    ----------
    idle
        Whether to list also the environments of releases that no job uses. A run that needs such
        an environment builds it again.
    """
    needed = _list_needed(engine, idle=idle)
    for folder in sorted(data.environments.iterdir()):
        if folder.is_dir() and not folder.name.endswith(".partial") and folder.name not in needed:
            is_needed = partial(_is_needed, engine, folder.name, idle=idle)
            yield Removable(
                Kind.ENVIRONMENT, str(folder), measure_tree(folder),
                partial(remove_environment, data, folder.name, is_needed),
            )  # fmt: skip


def _is_needed(engine: Engine, digest: str, *, idle: bool) -> bool:
    return digest in _list_needed(engine, idle=idle)


def _list_needed(engine: Engine, *, idle: bool) -> set[str]:
    """Return the digests of the environments that have to stay."""
    active = releases.c.id.in_(select(runs.c.release_id).where(runs.c.status.in_(ACTIVE)))
    usable: ColumnElement[bool] = (
        releases.c.id.in_(select(jobs.c.release_id)) if idle else releases.c.status != "rejected"
    )
    with reading(engine) as connection:
        query = select(releases.c.environment_digest).where(usable | active)
        return set(connection.execute(query).scalars())
