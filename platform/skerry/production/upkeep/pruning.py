"""Prune: list what is no longer needed, remove it if asked, and say where records and bytes differ.

It works on a full disk: first it removes what can be judged without the database, which may need
that space. It may be killed at any moment, and may run several times at once: the next prune judges
each thing again, and what a record names is never removed in part.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from skerry.core.errors import SkerryError
from skerry.core.progress import Progress, ignore_progress
from skerry.core.time import utc_now
from skerry.core.worker_settings import UpkeepSettings
from skerry.models.upkeep import Entry, PruneReport
from skerry.production.upkeep.agreement import check_records, list_lost, list_unnamed
from skerry.production.upkeep.changed import list_changed
from skerry.production.upkeep.expired import list_expired_bytes
from skerry.production.upkeep.history import list_history
from skerry.production.upkeep.last_prune import record_prune
from skerry.production.upkeep.machine import list_environments, list_old_logs, list_scratch
from skerry.production.upkeep.removable import Removable
from skerry.production.upkeep.run_files import list_run_files
from skerry.storage.absence import describe_cause
from skerry.storage.database import find_database, is_server, open_database
from skerry.storage.database_failures import UnreadableError
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects
from skerry.storage.platform_mark import check_store
from skerry.storage.recording import Actor


@dataclass(frozen=True)
class Wish:
    """What a prune is asked for.

    Attributes
    ----------
    do
        Whether to remove things.
    settings
        What is kept, and for how long.
    unnamed
        Whether to remove bytes that no record names, too.
    idle
        Whether to remove environments that no job uses, too.
    compare
        Whether to compare records and bytes, which takes time where there are many.
    """

    do: bool
    settings: UpkeepSettings
    unnamed: bool = False
    idle: bool = False
    compare: bool = True


class Prune:
    """A prune of one platform.

    Parameters
    ----------
    data
        Its data folder.
    wish
        What to do.
    progress
        Told the present work.
    by
        Who changes things, in the audit; else the user of this machine.
    """

    def __init__(
        self,
        data: DataFolder,
        wish: Wish,
        progress: Progress = ignore_progress,
        by: Actor | None = None,
    ) -> None:
        self._data = data
        self._wish = wish
        self._progress = progress
        self._by = by
        self._objects = open_objects(data)
        self._entries: list[Entry] = []
        self._left: list[str] = []

    def carry_out(self) -> PruneReport:
        """List, and remove if that is wished; return the report.

        Raises
        ------
        ConflictError
            If the object store is another platform's, or bytes that no record names are to go and
            there are no records at all.
        """
        self._take("Scratch and logs", chain(list_scratch(self._data), list_old_logs(self._data)))
        compared: dict[str, Any] = {}
        skipped = None
        url = find_database(self._data)
        if is_server(url) or self._data.database.is_file():
            engine = open_database(url, read_only=not self._wish.do, by=self._by)
            try:
                check_store(self._data, writing=self._wish.do)
                self._take_by_records(engine)
                if self._wish.compare:
                    compared = self._compare(engine)
                report = self._report(**compared)
                if self._wish.do:
                    record_prune(engine, report)
            except DBAPIError as error:
                skipped = describe_cause(error)
            except UnreadableError as error:
                skipped = error.what
            finally:
                engine.dispose()
        return self._report(**compared, skipped=skipped)

    def _take_by_records(self, engine: Engine) -> None:
        now, settings = utc_now(), self._wish.settings
        self._take("Expired grants", list_expired_bytes(engine, self._objects))
        self._take("Files of runs", list_run_files(engine, self._objects, settings, now))
        environments = list_environments(engine, self._data, idle=self._wish.idle)
        self._take("Environments", environments)
        history = list_history(engine, self._data, now, settings.history_days)
        self._take("Finished work", history)

    def _compare(self, engine: Engine) -> dict[str, Any]:
        """Return bytes without record, if they are to stay, and records without their bytes."""
        self._progress(0.5, "Bytes that no record names")
        unnamed = list(list_unnamed(engine, self._objects))
        if self._wish.unnamed:
            check_records(engine, self._data)
            self._take("Bytes that no record names", unnamed)
        self._progress(0.8, "Records whose bytes are gone")
        return {
            "unnamed": [] if self._wish.unnamed else [item.describe() for item in unnamed],
            "lost": list(list_lost(engine, self._objects)),
            "changed": list(list_changed(engine, self._objects)),
        }

    def _take(self, what: str, things: Iterable[Removable]) -> None:
        self._progress(0.1, what)
        for thing in things:
            if not self._wish.do or self._remove(thing):
                self._entries.append(thing.describe())

    def _remove(self, thing: Removable) -> bool:
        try:
            is_gone = thing.remove()
        except (OSError, SkerryError) as error:
            self._left.append(f"{thing.name}: {error}")
            return False
        if not is_gone:
            self._left.append(f"{thing.name}: it is in use")
        return is_gone

    def _report(self, **findings: Any) -> PruneReport:
        return PruneReport(done=self._wish.do, entries=self._entries, left=self._left, **findings)


def list_removable(data: DataFolder) -> Iterator[Entry]:
    """List what a prune would remove by the platform's own settings."""
    wish = Wish(do=False, settings=UpkeepSettings.from_environment(), compare=False)
    yield from Prune(data, wish).carry_out().entries
