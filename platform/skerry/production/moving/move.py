"""A move: claim both targets, carry the bytes, then all records in one transaction, let go.

Both targets say from the first moment that they are being filled, and by which move; parts of a
platform refuse them. So a move that was killed is known again there, and goes on: the store's
mark holds the last prefix that was carried over and compared, and the records are all there or
none. The source is only read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import batched

from sqlalchemy import Connection, func, select, text, update

from skerry.core.errors import ConflictError
from skerry.core.progress import Progress, ignore_progress, take_part
from skerry.core.time import utc_now
from skerry.production.moving import checks
from skerry.production.moving.checks import Stage
from skerry.production.moving.places import Place, choose_place, find_place, name_move
from skerry.production.moving.signs import PROGRAM, check_stopped
from skerry.production.pausing import pause_at
from skerry.production.records import estimate_units, list_units, platform_tables
from skerry.storage.copying import compare_rows, copy_rows
from skerry.storage.copying_objects import carry_over
from skerry.storage.database import is_server, reading, reading_stopped, using_database
from skerry.storage.layout import DataFolder
from skerry.storage.migrate import create_schema, newest_revision
from skerry.storage.platform_mark import MARK, Filling, Mark, read_mark
from skerry.storage.recording import name_user, note_event, writing
from skerry.storage.tables import audit, platform

_BATCH = 32
"""After how many prefixes the store's mark is written again."""


@dataclass(frozen=True)
class Moved:
    """A move that has ended.

    Attributes
    ----------
    target
        Where the platform has its state from now on.
    records
        How many records were compared; None if the database stays.
    prefixes
        Below how many prefixes bytes were compared; None if the object store stays.
    missing
        Below how many prefixes that records name the source has nothing.
    again
        Whether it had ended before, and nothing was done now.
    """

    target: Place
    records: int | None
    prefixes: int | None
    missing: int
    again: bool


class Move:
    """A move of one platform.

    Parameters
    ----------
    source, target
        Where the platform has its state, and where it is to have it.
    """

    def __init__(self, source: Place, target: Place) -> None:
        self.source, self.target = source, target
        self.name = name_move(source, target)
        self._takes_records = target.database_name != source.database_name
        self._takes_bytes = target.objects.address != source.objects.address

    @classmethod
    def plan(cls, data: DataFolder, database: str | None, objects: str | None) -> "Move":
        """Return the move of a data folder's platform; see `choose_place`."""
        source = find_place(data)
        return cls(source, choose_place(source, database, objects))

    def carry_out(self, progress: Progress = ignore_progress) -> Moved:
        """Check everything, then carry the platform over, or go on where a move was killed.

        Raises
        ------
        SkerryError
            If something does not hold, see `skerry.production.moving.checks`; if something
            changes meanwhile; or if a copy is not what it was copied from.
        """
        checks.check_source(self.source)
        stage = self._look_at_database()
        owner = checks.find_owner(self.source)
        ended = owner if stage is Stage.DONE else None
        store = self._look_at_store(ended)
        again = ended is not None and store is not Stage.BEGUN
        if ended is None:
            self._claim(owner, stage)
            share = 0.8 if self._takes_records else 1
            if self._takes_bytes:
                self._carry_bytes(take_part(progress, 0, share))
            pause_at("after:bytes")
            if self._takes_records:
                self._carry_records(take_part(progress, share, 1))
            else:
                self._end_beside_records()
            pause_at("after:commit")
        if self._takes_bytes and not again:
            Mark(platform=owner).write(self.target.objects)
            pause_at("after:release-store")
        return self._report(again=again)

    def _look_at_database(self) -> Stage:
        if self._takes_records:
            return checks.check_database(self.target, self.name)
        with self._reading_source() as connection:
            moved = checks.is_moved(connection, self.name)
        return Stage.DONE if moved else Stage.EMPTY

    def _look_at_store(self, ended: str | None) -> Stage | None:
        if not self._takes_bytes:
            return None
        return checks.check_objects(self.target.objects, self.name, ended)

    def _claim(self, owner: str, stage: Stage) -> None:
        """Let store and database say that they are being filled."""
        pause_at("before:claim-store")
        if self._takes_bytes:
            self._claim_store(owner)
            pause_at("after:claim-store")
        if self._takes_records and stage is Stage.EMPTY:
            self._claim_database()
            pause_at("after:claim-database")

    def _claim_store(self, owner: str) -> None:
        """Write the store's mark, unless this move has; anew if records have changed since."""
        with self._reading_source() as connection:
            filling = Filling(move=self.name, state=_find_state(connection))
        objects, mark = self.target.objects, Mark(platform=owner, filling=filling)
        if objects.write_once(MARK, mark.encode()):
            return
        present = self._read_filling()
        if present is None or present.move != self.name:
            raise ConflictError(
                f"Another program has just taken the object store {objects.address}.",
                remedy="Look what it is, and name an empty place.",
            )
        if present.state != filling.state:
            mark.write(objects)

    def _claim_database(self) -> None:
        """Make the tables, and let the schema's revision say that they are being filled."""
        on_server = is_server(self.target.database)
        if not on_server:
            self.target.data.create()
        with using_database(self.target.database) as engine:
            create_schema(engine)
            pause_at("after:schema")
            with engine.begin() as connection:
                _write_revision(connection, checks.name_unfinished(self.name))
        if not on_server:
            self.target.data.database.chmod(0o600)

    def _carry_bytes(self, progress: Progress) -> None:
        """Carry over the bytes below each prefix that the records name, in the prefixes' order."""
        objects, mark = self.target.objects, read_mark(self.target.objects)
        assert mark is not None and mark.filling is not None  # noqa: S101, PT018  (it is ours)
        filling = mark.filling
        with self._reading_source() as connection:
            count = max(1, estimate_units(connection))
        units = list_units(
            self._reading_source, self.source.objects, stopped=True, after=filling.done
        )
        for batch in batched(units, _BATCH):
            for unit, digest in carry_over(self.source.objects, objects, batch):
                done = filling.prefixes + filling.missing
                progress(min(1, done / count), f"Copying bytes: {unit}")
                filling.prefixes += digest is not None
                filling.missing += digest is None
                pause_at("during:bytes")
            filling.done = batch[-1]
            mark.write(objects)

    def _carry_records(self, progress: Progress) -> None:
        """Copy all records in one transaction, in which they are compared, too."""
        tables = platform_tables()
        with using_database(self.target.database) as engine, writing(engine, None) as here:
            with self._reading_source() as there:
                self._refuse_change(there)
                copy_rows(there, here, tables, take_part(progress, 0, 0.5))
            pause_at("during:records")
            check_stopped(self.source)
            with self._reading_source() as there:
                counts = compare_rows(there, here, tables, take_part(progress, 0.5, 1))
                own = there.execute(select(platform)).mappings().one()
            here.execute(update(platform).values(**own))
            self._tell(here, sum(counts.values()))
            _write_revision(here, str(newest_revision()))
            pause_at("before:commit")

    def _end_beside_records(self) -> None:
        """Tell of the move in the database, which stays where it is."""
        check_stopped(self.source)
        with using_database(self.source.database) as engine, writing(engine, None) as here:
            self._refuse_change(here)
            self._tell(here, None)
            pause_at("before:commit")

    def _tell(self, here: Connection, records: int | None) -> None:
        filling = self._read_filling()
        if self._takes_bytes:
            here.execute(update(platform).values(claimed_at=utc_now()))
        facts = {
            "records": records,
            "prefixes": filling and filling.prefixes,
            "missing": filling.missing if filling else 0,
        }
        note_event(here, checks.name_event(self.name), "moved", facts, by=name_user())

    def _report(self, *, again: bool) -> Moved:
        """Return what the audit tells of the move."""
        with (
            reading_stopped(self.target.database, PROGRAM) as engine,
            reading(engine) as connection,
        ):
            query = select(audit.c.after).where(audit.c.what == checks.name_event(self.name))
            facts = connection.execute(query.order_by(audit.c.number.desc())).scalars().first()
        return Moved(self.target, again=again, **(facts or {}))

    def _read_filling(self) -> Filling | None:
        """Return how far this move has filled the store; None if the store stays."""
        mark = read_mark(self.target.objects) if self._takes_bytes else None
        return mark.filling if mark is not None else None

    def _refuse_change(self, connection: Connection) -> None:
        """Refuse records that have changed since their bytes were listed."""
        filling = self._read_filling()
        if filling is not None and filling.state != _find_state(connection):
            raise ConflictError(
                f"The records in {self.source.database_name} changed while they were moved.",
                remedy="End what works on the platform, and give the command again: it goes on.",
            )

    @contextmanager
    def _reading_source(self) -> Iterator[Connection]:
        with (
            reading_stopped(self.source.database, PROGRAM) as engine,
            reading(engine) as connection,
        ):
            yield connection


def _find_state(connection: Connection) -> int:
    """Return the number of the audit's last entry: every change of records has one."""
    newest = select(func.coalesce(func.max(audit.c.number), 0))
    return int(connection.execute(newest).scalar_one())


def _write_revision(connection: Connection, revision: str) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = :now"), {"now": revision})
