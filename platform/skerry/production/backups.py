"""Backups: all records and the bytes that they name, of one moment, while the platform works.

A backup folder holds ``objects/``, which all backups in it share, and for each backup
``backups/<time>/`` with the records (``state.sqlite``, whatever database the platform has) and
``manifest.json``. Bytes in the object store never change, so a backup copies only those that the
folder does not have. What is written aside gets its name when it is whole.
"""

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from alembic.util import CommandError
from pydantic import AfterValidator, BaseModel, ValidationError
from sqlalchemy import func, select
from sqlalchemy.exc import DatabaseError, OperationalError

from skerry.catalog.deletions import note_deleted_bytes
from skerry.catalog.tables import deletions
from skerry.core.digests import digest_file
from skerry.core.errors import ConflictError, InvalidInputError, NotFoundError
from skerry.core.ids import check_name
from skerry.core.progress import Progress, ignore_progress, take_part
from skerry.core.time import utc_now
from skerry.core.version import VERSION
from skerry.production.backup_bytes import BackupBytes
from skerry.production.records import list_units, state_tables
from skerry.storage.copying import check_empty, copy_rows
from skerry.storage.copying_objects import copy_prefix
from skerry.storage.database import (
    database_url,
    find_database,
    is_server,
    open_database,
    reading,
    using_database,
)
from skerry.storage.layout import DataFolder
from skerry.storage.locks import hold_lock
from skerry.storage.migrate import (
    check_database,
    check_known,
    check_usable,
    create_schema,
    newest_revision,
    read_revision,
    upgrade,
)
from skerry.storage.object_folder import ObjectFolder
from skerry.storage.object_places import open_objects
from skerry.storage.objects import check_prefix
from skerry.storage.platform_mark import check_store, claim_store
from skerry.storage.recording import name_user, note_event, writing
from skerry.storage.tables import audit
from skerry.storage.writing import make_aside, write_aside

_STATE, _MANIFEST = "state.sqlite", "manifest.json"
_REMOVAL = "removal/"
"""With this and a prefix the audit tells that bytes are given up."""


def _check_unit(text: str) -> str:
    try:
        return check_prefix(text)
    except InvalidInputError as error:
        raise ValueError(str(error)) from None


Unit = Annotated[str, AfterValidator(_check_unit)]
"""A prefix that cannot leave the object store, whoever wrote the manifest."""


class Manifest(BaseModel):
    """What a backup holds.

    Attributes
    ----------
    created, skerry, schema_revision
        When, by which Skerry, and the schema of its records.
    tables
        Rows of each table.
    records
        Digest of the file with the records; None in a backup of an older Skerry.
    units
        Prefix in the object store to the digest of the bytes below it.
    missing
        Prefixes that records name, and below which the object store has nothing.
    """

    created: str
    skerry: str
    schema_revision: str
    tables: dict[str, int]
    records: str | None = None
    units: dict[Unit, str]
    missing: list[Unit]


@dataclass(frozen=True)
class Backup:
    """A finished backup, or a restored one.

    Attributes
    ----------
    name
        Its name in the backup folder: the time at which it began.
    manifest
        What it holds.
    copied
        The prefixes whose bytes were copied now; the others were there.
    """

    name: str
    manifest: Manifest
    copied: list[str]


def create_backup(
    data: DataFolder, target: Path, progress: Progress = ignore_progress, *, check: bool = False
) -> Backup:
    """Back up a platform, which may be at work.

    Parameters
    ----------
    data
        Its data folder.
    target
        The backup folder; it is created if it does not exist.
    progress
        Told the fraction done and the present work.
    check
        Whether to read again the bytes that the backup folder has, and to copy again those that
        have been damaged there.

    Raises
    ------
    ConflictError
        If another backup into the same folder is at work, bytes change while they are copied though
        nobody removes them, or database and object store do not belong together.
    InvalidInputError
        If the folder stands in the data folder, or cannot be written, or the platform's database
        or object store cannot be used.
    """
    if target.resolve().is_relative_to(data.root.resolve()):
        raise InvalidInputError(
            f"The backup folder {target} stands in the data folder.",
            remedy="Name a folder outside, on another disk if there is one.",
        )
    check_usable(data, writing=False)
    check_store(data, writing=False)
    for folder in (target, target / "objects", target / "backups"):
        _create(folder)
    with hold_lock(target / "lock", lambda pid: _describe_other(target, pid)):
        name = utc_now().strftime("%Y%m%dT%H%M%S.%fZ")
        with make_aside(target / "backups" / name, parents=True) as aside:
            aside.mkdir(mode=0o700)
            backup = _back_up(data, target, aside, name, progress, check=check)
            write_aside(aside / _MANIFEST, backup.manifest.model_dump_json(indent=1))
        _note_backup(data, backup)
        return backup


def _note_backup(data: DataFolder, backup: Backup) -> None:
    """Tell the platform's audit of a backup, where its database can be written."""
    live = open_database(find_database(data))
    try:
        with suppress(OperationalError), live.begin() as connection:
            note_event(connection, f"platform/backup/{backup.name}", "backed up", _sum_up(backup))
    finally:
        live.dispose()


def _sum_up(backup: Backup) -> dict[str, int]:
    records = sum(backup.manifest.tables.values())
    return {"records": records, "prefixes": len(backup.manifest.units)}


def _back_up(
    data: DataFolder, target: Path, aside: Path, name: str, progress: Progress, *, check: bool
) -> Backup:
    """Copy the records, then the bytes that they name.

    Bytes may go after their records were copied, even in the middle of their own copy. Then the
    records are copied again: they name these bytes no more.
    """
    bytes_ = BackupBytes(
        open_objects(data), ObjectFolder(target / "objects"), _read_digests(target)
    )
    missing: set[str] = set()
    while True:
        counts, last = _copy_records(data, aside / _STATE, take_part(progress, 0, 0.2))
        with using_database(database_url(aside / _STATE), read_only=True) as own:
            names = list(list_units(own.connect, bytes_.source))
        lacking = bytes_.copy(names, take_part(progress, 0.2, 1), check=check)
        if bytes_.settle(*_list_removals(data, last)) and lacking <= missing:
            break
        missing |= lacking
    units = {unit: bytes_.digests[unit] for unit in names if unit not in lacking}
    manifest = Manifest(
        created=utc_now().isoformat(), skerry=VERSION, schema_revision=str(newest_revision()),
        tables=counts, records=digest_file(aside / _STATE), units=units, missing=sorted(lacking),
    )  # fmt: skip
    return Backup(name, manifest, [unit for unit in units if unit in bytes_.copied])


def _copy_records(data: DataFolder, state: Path, progress: Progress) -> tuple[dict[str, int], int]:
    """Copy all records into a new file; return how many, and the last number of the audit."""
    for left in state.parent.glob(f"{state.name}*"):
        left.unlink()
    with (
        using_database(find_database(data), read_only=True) as live,
        using_database(database_url(state)) as own,
    ):
        create_schema(own)
        with reading(live) as source, writing(own, None) as connection:
            counts = copy_rows(source, connection, state_tables(), progress)
            last = select(func.coalesce(func.max(audit.c.number), 0))
            return counts, connection.execute(last).scalar_one()


def _list_removals(data: DataFolder, since: int) -> tuple[set[str], set[str]]:
    """Return what was given up after an entry of the audit, and what is being removed now."""
    later = select(audit.c.what).where(
        audit.c.number > since, audit.c.what.startswith(_REMOVAL, autoescape=True)
    )
    with using_database(find_database(data), read_only=True) as live, reading(live) as connection:
        given_up = {what.removeprefix(_REMOVAL) for what in connection.execute(later).scalars()}
        return given_up, set(connection.execute(select(deletions.c.prefix)).scalars())


def check_restorable(source: Path, data: DataFolder, name: str | None) -> tuple[str, Manifest]:
    """Refuse what cannot be restored, before anything is written; return the backup's name.

    Parameters and errors are those of `restore_backup`. The bytes are compared as they are copied.
    """
    name = name or next(iter(list_backups(source)), None)
    if name is None:
        raise NotFoundError(
            f"{source} holds no backup.", remedy="Name a folder that 'skerry backup' has filled."
        )
    folder = source / "backups" / check_name(name, what="backup")
    manifest = _read_manifest(folder)
    _check_records(folder, manifest)
    check_known(manifest.schema_revision, f"of the backup {name}")
    check_database(data)
    check_store(data)
    url = find_database(data)
    if is_server(url) or data.database.exists():
        with using_database(url, read_only=True) as engine, engine.connect() as connection:
            if read_revision(engine) == newest_revision():  # others are empty, or are seen later
                check_empty(connection, state_tables())
    return name, manifest


def _check_records(folder: Path, manifest: Manifest) -> None:
    """Refuse records that are not those of the backup: SQLite reads a changed letter unnoticed."""
    state = folder / _STATE
    is_there = state.is_file() and not state.is_symlink()
    if not is_there or manifest.records not in (None, digest_file(state)):
        raise _refuse_records(state)


def _refuse_records(state: Path) -> InvalidInputError:
    return InvalidInputError(
        f"The backup {state.parent.name} is damaged: its records in {state} are missing or "
        "changed.",
        remedy="Restore an older backup, or the folder from another copy.",
    )


def restore_backup(
    source: Path, data: DataFolder, name: str | None = None, progress: Progress = ignore_progress
) -> Backup:
    """Restore a backup into a data folder and a database without records.

    Bytes come first and are compared with their digests; the records come last, in one
    transaction. What a killed restore copied is used by the next.

    Parameters
    ----------
    source
        The backup folder.
    data
        The data folder, whose platform does not run.
    name
        Which backup; the newest when left out.

    Raises
    ------
    NotFoundError
        If there is no such backup.
    ConflictError
        If the database has records, or a newer Skerry made the backup.
    InvalidInputError
        If the backup is damaged.
    """
    name, manifest = check_restorable(source, data, name)
    folder = source / "backups" / name
    upgrade(data)
    claim_store(data)
    objects, copies = open_objects(data), ObjectFolder(source / "objects")
    copied = []
    report = take_part(progress, 0, 0.8)
    for number, (unit, digest) in enumerate(manifest.units.items()):
        report(number / len(manifest.units), f"Copying bytes: {unit}")
        if objects.digest(unit) == digest:
            continue
        if copy_prefix(copies, objects, unit) != digest:
            raise InvalidInputError(
                f"The backup {name} is damaged: the bytes of {unit} are missing or changed.",
                remedy="Restore an older backup, or the folder from another copy.",
            )
        copied.append(unit)
    backup = Backup(name, manifest, copied)
    _restore_records(folder / _STATE, data, backup, take_part(progress, 0.8, 1))
    return backup


def _restore_records(state: Path, data: DataFolder, backup: Backup, progress: Progress) -> None:
    """Copy the records from a copy of the backup's file, which is brought to today's schema.

    The folder of a run may have been copied whole before the bytes of a product in it were
    deleted: they are listed for removal again.
    """
    with make_aside(data.run / _STATE, replace=True) as aside:
        shutil.copyfile(state, aside)
        copy, live = open_database(database_url(aside)), open_database(find_database(data))
        try:
            try:
                create_schema(copy)
            except OperationalError:  # of this machine, such as a full disk
                raise
            except (DatabaseError, CommandError):  # no database, or of a schema that never was
                raise _refuse_records(state) from None
            with writing(copy, name_user()) as connection:
                note_deleted_bytes(connection)
            with reading(copy) as source, writing(live, None) as connection:
                counts = copy_rows(source, connection, state_tables(), progress)
                what = f"platform/backup/{backup.name}"
                note_event(connection, what, "restored", _sum_up(backup), by=name_user())
        finally:
            copy.dispose()
            live.dispose()
    (data.run / _STATE).unlink()
    if any(counts.get(table, 0) < count for table, count in backup.manifest.tables.items()):
        raise InvalidInputError(
            f"The backup in {state.parent} is damaged: it lacks records.",
            remedy="Empty the database and restore an older backup.",
        )


def list_backups(source: Path) -> list[str]:
    """Return the names of the finished backups in a backup folder, the newest first."""
    places = (source / "backups").glob(f"*/{_MANIFEST}")
    return sorted((place.parent.name for place in places), reverse=True)


def _read_digests(target: Path) -> dict[str, str]:
    """Return the digests of the bytes that finished backups hold."""
    digests: dict[str, str] = {}
    for name in list_backups(target):
        digests |= _read_manifest(target / "backups" / name).units
    return digests


def _read_manifest(folder: Path) -> Manifest:
    try:
        return Manifest.model_validate_json((folder / _MANIFEST).read_bytes())
    except FileNotFoundError:
        raise NotFoundError(
            f"There is no backup {folder.name}.", remedy="'skerry backup --list' names them."
        ) from None
    except (ValidationError, json.JSONDecodeError):
        raise InvalidInputError(
            f"{folder / _MANIFEST} cannot be read.", remedy="Restore another backup."
        ) from None


def _create(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError(
            f"The backup folder {folder} cannot be made: {error.strerror}.",
            remedy="Name a folder that this user may write.",
        ) from None


def _describe_other(target: Path, pid: str) -> ConflictError:
    return ConflictError(
        f"Another backup into {target} is at work: process {pid}.", remedy="Wait for its end."
    )
