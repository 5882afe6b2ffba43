"""The checks of `skerry doctor`, with the remedy of each fault."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from skerry.cli.doctor.findings import Finding, Look
from skerry.cli.doctor.state import (
    look_at_clock,
    look_at_database,
    look_at_objects,
    look_into_database,
)
from skerry.cli.serve import SHARED_PARTS, say_place
from skerry.cli.status import describe_worker
from skerry.cli.supervisor.health import ask_health
from skerry.cli.supervisor.ports import LOOPBACK, check_port
from skerry.cli.supervisor.record import PartRecord, PlatformRecord
from skerry.cli.up import name_database
from skerry.cli.variables import check_variables, read_port
from skerry.core.disk import REMEDY, measure_space
from skerry.core.time import format_time
from skerry.core.wording import describe_bytes
from skerry.core.worker_settings import WorkerSettings
from skerry.production.executors.choosing import check_executor, open_executor
from skerry.storage.layout import DataFolder
from skerry.storage.pid_files import PidFile

if TYPE_CHECKING:
    from sqlalchemy import Connection

_LOG_END = 200_000
"""Bytes at the end of each log in which errors are counted."""

_ERRORS = re.compile(
    rb'^(?:\S+Z )?(?:ERROR|CRITICAL) |^\{[^\n]*"level": "(?:ERROR|CRITICAL)"', re.MULTILINE
)


def look_at_folder(folder: DataFolder) -> Iterator[Finding]:
    """Check that the owner, and nobody else, can write into the data folder."""
    name = "data folder"
    if not os.access(folder.root, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(
            check=name, state="broken", detail=f"This user may not write into {folder.root}.",
            remedy="Run skerry as the user who owns it, or name another folder with --data.",
        )  # fmt: skip
    elif folder.root.stat().st_mode & 0o077:
        yield Finding(
            check=name, state="attention", detail=f"Other users may look into {folder.root}.",
            remedy=f"chmod 700 {folder.root}",
        )  # fmt: skip
    else:
        yield Finding(check=name, detail=str(folder.root))


def look_at_settings(folder: DataFolder) -> Iterator[Finding]:
    """Check that the variables that are set here can be read, and name the platform's database."""
    check_variables()
    record = PlatformRecord.read(folder)
    own = name_database(folder) or ""
    if record is None or not record.is_alive() or record.database == own:
        yield Finding(check="settings", detail="All variables that are set can be read.")
        return
    yield Finding(
        check="settings", state="attention",
        detail=f"The running platform keeps its state in {say_place(record.database)}; with what "
        f"is set here, {say_place(own)} is looked at.",
        remedy="Set the variables here as for 'skerry up', and ask again.",
    )  # fmt: skip


def look_at_disk(folder: DataFolder) -> Iterator[Finding]:
    """Check the free space of the disk."""
    space = measure_space(folder.root)
    state = "broken" if space.is_full else "attention" if space.is_low else "well"
    remedy = _say_how_to_make_room(folder) if space.is_low else ""
    yield Finding(check="disk", state=state, detail=space.describe(), remedy=remedy)


def _say_how_to_make_room(folder: DataFolder) -> str:
    from skerry.production.upkeep.pruning import list_removable

    freed = sum(entry.size for entry in list_removable(folder))
    if not freed:
        return (
            "'skerry disk show' names what takes the space. 'skerry prune' would free nothing: "
            "make room on the disk, or give the platform a larger one."
        )
    return f"'skerry prune --yes' would free {describe_bytes(freed)}. {REMEDY}"


def look_at_upkeep(folder: DataFolder) -> Iterator[Finding]:
    """Check when the last prune was, and whether it found that records and bytes differ."""
    return look_into_database(folder, _judge_last_prune)


def _judge_last_prune(connection: "Connection") -> Iterator[Finding]:
    from skerry.production.upkeep.last_prune import find_last_prune

    last = find_last_prune(connection)
    if last is None:
        yield Finding(check="upkeep", detail="No prune has ended yet; the worker does it daily.")
        return
    detail = f"The last prune ended {format_time(last.ended)}: freed {describe_bytes(last.freed)}"
    if last.changed:
        yield Finding(
            check="upkeep", state="broken",
            detail=f"{detail}; the bytes of {last.changed} items were written again later.",
            remedy="'skerry prune' names them. Withdraw them: they are not what was registered.",
        )  # fmt: skip
    if last.lost:
        yield Finding(
            check="upkeep", state="broken",
            detail=f"{detail}; the bytes of {last.lost} records are gone.",
            remedy="'skerry prune' names them. Restore the bytes from a backup, or withdraw the "
            "items.",
        )  # fmt: skip
    elif last.unnamed:
        yield Finding(
            check="upkeep", state="attention",
            detail=f"{detail}; no record names {describe_bytes(last.unnamed_size)}.",
            remedy="'skerry prune' names them; 'skerry prune --unnamed --yes' removes them.",
        )  # fmt: skip
    elif not last.changed:
        yield Finding(check="upkeep", detail=f"{detail}; records and bytes agree.")


def look_at_parts(folder: DataFolder) -> Iterator[Finding]:
    """Ask each part whether it answers, and api and maps what they lack."""
    record = PlatformRecord.read(folder)
    if record is None:
        yield Finding(
            check="platform", state="attention", detail="No platform runs on this data folder.",
            remedy="Start it with 'skerry up'.",
        )  # fmt: skip
        return
    if not record.is_alive():
        yield Finding(
            check="platform", state="broken",
            detail=f"The platform (process {record.pid}) ended unexpectedly.",
            remedy="Run 'skerry up': it ends leftover processes and continues the work.",
        )  # fmt: skip
        return
    yield Finding(check="platform", detail=f"It runs at {record.url} (process {record.pid}).")
    for part in record.parts:
        lacks = "" if (silence := ask_health(part)) else _ask_readiness(part)
        remedy = ""
        if silence:
            remedy = _say_how_to_wake(folder, part.name)
        elif lacks:
            remedy = "It goes on by itself when that is mended: see what is said of it here."
        yield Finding(
            check=part.name, state="broken" if remedy else "well",
            detail=silence or lacks or "answers", remedy=remedy,
        )  # fmt: skip


def _say_how_to_wake(folder: DataFolder, part: str) -> str:
    """Return what to do with a part that does not answer; the supervisor sees only its end."""
    note = PidFile.read(folder.pids / f"{part}.json")
    hanging = note is not None and note.find() is not None
    return f"Read 'skerry logs {part}'. The platform starts it again when it ends" + (
        f"; if it goes on to hang, end it: kill -9 {note.pid}." if note and hanging else "."
    )


def _ask_readiness(part: PartRecord) -> str:
    """Return what api or maps lack; the other parts have no such address."""
    if part.health is None or part.name not in SHARED_PARTS:
        return ""
    address = f"{part.health.removesuffix('health')}ready"
    try:
        answer = httpx.get(address, timeout=5, trust_env=False)
        missing = answer.json().get("missing", {})
    except (httpx.HTTPError, ValueError, AttributeError):
        return "does not say whether it is ready"
    return "; ".join(f"{name}: {reason}" for name, reason in missing.items())


def look_at_workers(folder: DataFolder) -> Iterator[Finding]:
    """Check that all workers that share a database server show that they live."""
    from sqlalchemy.exc import SQLAlchemyError

    from skerry.production.workers import list_workers
    from skerry.storage.database import find_database, is_server, using_database

    url = find_database(folder)
    if not is_server(url):  # the only worker is asked as a part of the platform
        return
    try:
        with using_database(url, read_only=True) as engine:
            signs = list_workers(engine, folder)
    except SQLAlchemyError:  # the check of the database says what is wrong with it
        return
    others = any(sign.works for sign in signs)
    for sign in signs:
        remedy = (
            "Start it again, or leave it: another worker carries its runs on."
            if others
            else "Start a worker, or the platform with 'skerry up': no run goes on without one."
        )
        yield Finding(
            check="workers", state="well" if sign.works else "attention" if others else "broken",
            detail=describe_worker(sign), remedy="" if sign.works else remedy,
        )  # fmt: skip


def look_at_port(folder: DataFolder) -> Iterator[Finding]:
    """Check that the public port is free if the platform does not run."""
    record = PlatformRecord.read(folder)
    if record is None or not record.is_alive():
        port = read_port()
        check_port(LOOPBACK, port)
        yield Finding(check="port", detail=f"Port {port} is free.")


def look_at_packages(_folder: DataFolder) -> Iterator[Finding]:
    """Check that the installed packages are those of the lock file."""
    from skerry.production.environments import find_deviations, find_installed_lock

    deviations = find_deviations(find_installed_lock())
    if deviations:
        shown = ", ".join(deviations[:3]) + (" ..." if deviations[3:] else "")
        yield Finding(
            check="packages", state="attention",
            detail=f"{len(deviations)} packages differ from requirements.lock: {shown}",
            remedy="Install them again: 'make setup' in a checkout.",
        )  # fmt: skip
    else:
        yield Finding(check="packages", detail="All packages are those of requirements.lock.")


def look_at_logs(folder: DataFolder) -> Iterator[Finding]:
    """Count the errors at the end of each part's log."""
    counted = {path.stem: _count_errors(path) for path in sorted(folder.logs.glob("*.log"))}
    erring = {name: count for name, count in counted.items() if count}
    if erring:
        parts = ", ".join(f"{name} {count}" for name, count in erring.items())
        yield Finding(
            check="logs", state="attention", detail=f"Errors near the end of logs: {parts}.",
            remedy=f"Read them: 'skerry logs {next(iter(erring))}'.",
        )  # fmt: skip
    elif counted:
        yield Finding(check="logs", detail=f"No errors near the end of {len(counted)} logs.")


def _count_errors(path: Path) -> int:
    with path.open("rb") as log:
        size = log.seek(0, 2)
        log.seek(max(0, size - _LOG_END))
        return len(_ERRORS.findall(log.read()))


def look_at_attempts(folder: DataFolder) -> Iterator[Finding]:
    """Ask whether attempts of runs can be started where the settings say."""
    settings = WorkerSettings.from_environment()
    if settings.executor == "local":
        return
    check_executor(settings)
    fault = open_executor(folder, settings, program="").find_fault()
    if fault is None:
        yield Finding(check="attempts", detail=f"They can be started on {settings.executor}.")
        return
    yield Finding(
        check="attempts", state="broken", detail=fault,
        remedy="See that Kubernetes answers here, and apply the worker's Role (role.yaml) again.",
    )  # fmt: skip


CHECKS: dict[str, Look] = {
    "data folder": look_at_folder,
    "settings": look_at_settings,
    "disk": look_at_disk,
    "database": look_at_database,
    "clock": look_at_clock,
    "objects": look_at_objects,
    "upkeep": look_at_upkeep,
    "packages": look_at_packages,
    "port": look_at_port,
    "platform": look_at_parts,
    "workers": look_at_workers,
    "attempts": look_at_attempts,
    "logs": look_at_logs,
}
