"""`skerry up`: start the platform on this machine and watch it."""

import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

import click
import platformdirs
from rich.console import Console
from rich.markup import escape

from skerry.cli.folder import data_option
from skerry.cli.supervisor.credentials import Credentials, load_password
from skerry.cli.supervisor.first_demo import FirstDemo
from skerry.cli.supervisor.leftovers import end_leftovers
from skerry.cli.supervisor.lock import hold_folder
from skerry.cli.supervisor.owner import OwnerLogin
from skerry.cli.supervisor.plan import ISOLATION, PART_NAMES, Plan
from skerry.cli.supervisor.ports import InternalPorts, check_host, check_port
from skerry.cli.supervisor.record import PlatformRecord
from skerry.cli.supervisor.screen import Screen, Terminal
from skerry.cli.supervisor.watch import StopRequestedError, Supervisor
from skerry.cli.variables import PORT_VARIABLE, check_variables
from skerry.core.errors import InvalidInputError
from skerry.core.hidden_variables import hide_variables
from skerry.core.oidc.sign_on_settings import SECRET_VARIABLE, read_sign_on
from skerry.core.settings import (
    API_PREFIX,
    DASHBOARDS_PREFIX,
    DEFAULT_PORT,
    platform_secrets,
    read_database_url,
    read_grants_way,
    read_objects_place,
)
from skerry.storage.layout import DataFolder

_PRIVATE_UMASK = 0o077


@click.command()
@data_option
@click.option(
    "--port",
    type=int,
    default=DEFAULT_PORT,
    envvar=PORT_VARIABLE,
    show_default=True,
    show_envvar=True,
    help="The only public port; Skerry chooses free ports for everything internal.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option(
    "--demo-when-empty",
    is_flag=True,
    help="On an empty data folder, run the demo first.",
)
def up(data: Path, port: int, host: str, *, demo_when_empty: bool) -> None:
    """Start the platform on this machine and watch it; Ctrl-C ends it.

    The developer's variable SKERRY_PARTS (such as "gateway,hub") starts only some of its parts.

    \b
    Example:
      skerry up --data ~/skerry --port 8080
    """  # noqa: D301
    check_variables()
    os.umask(_PRIVATE_UMASK)
    hide_variables(platform_secrets() | {SECRET_VARIABLE})
    console = Terminal(highlight=False)
    host = check_host(host)
    names = _choose_parts(os.environ.get("SKERRY_PARTS", ""))
    folder = DataFolder(data)
    _check_database(folder)
    _check_objects(folder)
    _warn_of_grants(console)
    folder.create()
    with hold_folder(folder):
        credentials = Credentials.load(folder)
        ended = end_leftovers(folder, credentials.instance)
        if ended:
            console.print(f"Ended {ended} processes that an earlier platform left behind.")
        check_port(host, port)
        read_sign_on(credentials.owner)
        plan = Plan(
            folder=folder,
            credentials=credentials,
            password=load_password(folder),
            ports=InternalPorts.choose(),
            public_url=f"http://{host}:{port}",
            names=names,
        )
        _migrate(folder, console)
        _run_platform(plan, console, demo_when_empty=demo_when_empty)


def _run_platform(plan: Plan, console: Console, *, demo_when_empty: bool) -> None:
    """Start the parts, watch them until a signal arrives, end them."""
    plan.write_settings()
    parts = plan.parts()
    record = _describe(plan)
    demo = FirstDemo(plan, console) if demo_when_empty else None
    screen = Screen(console, [part.name for part in parts])
    supervisor = Supervisor(plan, parts, screen)
    supervisor.obey_signals()
    record.write(plan.folder)
    try:
        with suppress(StopRequestedError):
            with screen:
                supervisor.start()
            login = OwnerLogin(plan) if "hub" in plan.names else None
            if login:
                login.write()
            record.model_copy(update={"ready": True}).write(plan.folder)
            _print_addresses(console, plan)
            supervisor.watch([task.advance for task in (login, demo) if task])
    finally:
        console.print("Stopping ...")
        began = time.monotonic()
        supervisor.stop()
        PlatformRecord.path(plan.folder).unlink(missing_ok=True)
        console.print(f"Stopped after {time.monotonic() - began:.1f} s.")


def _choose_parts(text: str) -> tuple[str, ...]:
    """Return the parts to start: all, or the parts that a developer names."""
    if not text:
        return PART_NAMES
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in PART_NAMES:
            raise InvalidInputError(
                f"SKERRY_PARTS names {name!r}, which is not part of the platform.",
                remedy=f"The parts are {', '.join(PART_NAMES)}.",
            )
    return names


def _check_database(folder: DataFolder) -> None:
    """Refuse a database server that cannot be used, before anything is written."""
    if read_database_url() is not None:  # this import takes a moment
        from skerry.storage.migrate import check_database

        check_database(folder)


def _check_objects(folder: DataFolder) -> None:
    """Refuse an object store that cannot be used or is another's, before anything is written."""
    from skerry.storage.platform_mark import check_store  # this import takes a moment

    check_store(folder)


def _warn_of_grants(console: Console) -> None:
    """Say at the start that nobody will get into the bucket, if its token service gives nothing."""
    place = read_objects_place() or ""
    if not place.startswith("s3:") or read_grants_way() == "addresses":
        return
    from skerry.storage.credentials import find_fault_of_grants  # this import takes a moment

    if fault := find_fault_of_grants(f"{place.rstrip('/')}/"):
        console.print(f"[yellow]{escape(f'{fault.what} {fault.remedy}')}[/]", soft_wrap=True)


def _migrate(folder: DataFolder, console: Console) -> None:
    """Bring the database to this Skerry's schema, and say so if an earlier Skerry wrote it."""
    from skerry.storage.migrate import upgrade
    from skerry.storage.platform_mark import claim_store

    copy = upgrade(folder)
    claim_store(folder)
    if copy is not None:
        console.print(
            f"An earlier Skerry wrote this data folder. Its database was brought up to date; "
            f"the database as it was is {escape(str(copy))}.",
            soft_wrap=True,
        )


def _describe(plan: Plan) -> PlatformRecord:
    """Return the record of this process and its parts, not yet ready."""
    import psutil

    pid = os.getpid()
    return PlatformRecord(
        pid=pid,
        created=psutil.Process(pid).create_time(),
        url=plan.public_url,
        user=plan.credentials.owner,
        gateway=plan.gateway,
        parts=[part.record for part in plan.parts()],
        ports=plan.ports,
        database=name_database(plan.folder) or "",
    )


def _print_addresses(console: Console, plan: Plan) -> None:
    """Print the addresses and how to log in.

    The password itself stays in its file, because printed text may be recorded.
    """
    url = plan.public_url
    console.print()
    for name, value in (
        ("Notebooks", f"{url}/"),
        ("Dashboard", f"{url}{DASHBOARDS_PREFIX}/"),
        ("Catalogue", f"{url}{API_PREFIX}/stac"),
        ("API", f"{url}{API_PREFIX}/openapi.json"),
        ("User", plan.credentials.owner),
        _name_login(plan),
        ("Data", str(plan.folder.root)),
        *([("Database", server)] if (server := name_database(plan.folder)) else []),
        *_name_objects(),
        ("Isolation", f"{ISOLATION} (one machine means one person)"),
    ):
        console.print(f"[bold]{name:<13}[/]{escape(value)}", soft_wrap=True, highlight=False)
    if plan.folder.root != Path(platformdirs.user_data_dir("skerry")):
        console.print(
            f"\nIn other terminals: export SKERRY_DATA={plan.folder.root}", soft_wrap=True
        )
    console.print(f"\nCtrl-C, or '{_name_command()} down', ends it.", soft_wrap=True)


def _name_login(plan: Plan) -> tuple[str, str]:
    """Return the row that says with what the owner logs in."""
    sign_on = read_sign_on(plan.credentials.owner)
    if sign_on is not None:
        return "Sign-on", sign_on.issuer
    return "Password in", str(plan.folder.password)


def _name_objects() -> list[tuple[str, str]]:
    """Return the row that names the object store, if one is configured."""
    place = read_objects_place()
    return [] if place is None else [("Objects", place)]


def name_database(folder: DataFolder) -> str | None:
    """Return the name of the database server, without a password; None if there is none."""
    if read_database_url() is None:
        return None
    from skerry.storage.database import find_database
    from skerry.storage.database_urls import describe_database

    return describe_database(find_database(folder))


def _name_command() -> str:
    """Return how another terminal calls this program."""
    return "skerry" if shutil.which("skerry") else str(Path(sys.executable).with_name("skerry"))
