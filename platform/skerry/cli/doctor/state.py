"""The checks of `skerry doctor` of database, clock and objects, with the remedy of each fault."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from skerry.cli.doctor.findings import Finding
from skerry.core.settings import read_grants_way
from skerry.core.time import format_time, utc_now
from skerry.storage.layout import DataFolder

if TYPE_CHECKING:
    from sqlalchemy import Connection

_CLOCKS_DIFFER_S = 30


def look_at_database(folder: DataFolder) -> Iterator[Finding]:
    """Check that the database answers, is undamaged, and has this Skerry's schema."""
    from sqlalchemy.exc import SQLAlchemyError

    from skerry.storage.absence import describe_cause
    from skerry.storage.database import find_database, is_server, open_database
    from skerry.storage.migrate import check_database, check_known, newest_revision, read_revision

    check_database(folder)
    url = find_database(folder)
    if not is_server(url) and not folder.database.exists():
        yield Finding(
            check="database", state="attention", detail=f"{folder.database} does not exist yet.",
            remedy="Run 'skerry up' to create it.",
        )  # fmt: skip
        return
    engine = open_database(url, read_only=True)
    try:
        revision = read_revision(engine)
        if not is_server(url):
            with engine.connect() as connection:
                faults = list(connection.exec_driver_sql("PRAGMA quick_check(3)").scalars())
            if faults != ["ok"]:
                yield _describe_damage(folder, "; ".join(faults))
                return
    except SQLAlchemyError as error:
        yield _describe_damage(folder, describe_cause(error))
        return
    finally:
        engine.dispose()
    check_known(revision, str(folder.database))
    if revision == newest_revision():
        yield Finding(check="database", detail=f"It answers, with schema {revision}.")
    else:
        yield Finding(
            check="database", state="attention",
            detail=f"Its schema is {revision}, and this Skerry needs {newest_revision()}.",
            remedy="Stop the platform and run 'skerry database upgrade'; 'skerry up' does it too.",
        )  # fmt: skip


def look_into_database(
    folder: DataFolder, look: "Callable[[Connection], Iterator[Finding]]"
) -> Iterator[Finding]:
    """Yield what is found in the database; nothing if there is none, or it cannot be read.

    The check of the database itself says what is wrong with it.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from skerry.storage.database import find_database, is_server, using_database

    url = find_database(folder)
    if not is_server(url) and not folder.database.exists():
        return
    try:
        with using_database(url, read_only=True) as engine, engine.connect() as connection:
            found = list(look(connection))
    except SQLAlchemyError:
        return
    yield from found


def look_at_clock(folder: DataFolder) -> Iterator[Finding]:
    """Compare this machine's clock with the database's, and with its newest change."""
    return look_into_database(folder, _compare_clocks)


def _compare_clocks(connection: "Connection") -> Iterator[Finding]:
    from sqlalchemy import select

    from skerry.storage.columns import Now
    from skerry.storage.tables import audit

    there, here = connection.execute(select(Now())).scalar_one(), utc_now()
    query = select(audit.c.at).order_by(audit.c.number.desc()).limit(1)
    newest = connection.scalar(query) or here
    ahead = (there - here).total_seconds()
    fault = ""
    if abs(ahead) > _CLOCKS_DIFFER_S:
        side = "ahead of" if ahead > 0 else "behind"
        fault = f"The clock of the database server is {abs(ahead):.0f} s {side} this machine's."
    elif (newest - here).total_seconds() > _CLOCKS_DIFFER_S:
        fault = f"This machine's clock says {format_time(here.replace(microsecond=0))}, but the "
        fault += f"newest change was recorded at {format_time(newest.replace(microsecond=0))}."
    yield Finding(
        check="clock", state="attention" if fault else "well",
        detail=fault or "It is not behind what is recorded.",
        remedy="Set the clocks of all machines, best with NTP." if fault else "",
    )  # fmt: skip


def look_at_objects(folder: DataFolder) -> Iterator[Finding]:
    """Check that the object store answers, may be written, and is this platform's own."""
    from skerry.storage.database_failures import UnreadableError
    from skerry.storage.object_places import open_objects
    from skerry.storage.platform_mark import check_store

    with suppress(UnreadableError):  # the check of the database says what is wrong with it
        check_store(folder)
    objects = open_objects(folder)
    objects.check()
    yield Finding(check="objects", detail=objects.address)
    if objects.address.startswith("s3:"):
        yield _look_at_grants(objects.address)


def _look_at_grants(address: str) -> Finding:
    """Check that those who hold a grant get into the bucket in the way that is set."""
    from skerry.storage.credentials import find_fault_of_grants

    if read_grants_way() == "addresses":
        return Finding(check="grants", detail="The api signs each request to the store.")
    fault = find_fault_of_grants(address)
    if fault is None:
        return Finding(check="grants", detail="The token service gives credentials.")
    return Finding(check="grants", state="broken", detail=fault.what, remedy=fault.remedy)


def _describe_damage(folder: DataFolder, fault: str) -> Finding:
    return Finding(
        check="database", state="broken", detail=f"The database cannot be used: {fault}.",
        remedy="Stop the platform and restore your newest backup; "
        f"copies that Skerry made before upgrades are {folder.database.name}.*.bak "
        f"in {folder.database.parent}.",
    )  # fmt: skip
