"""`skerry`: one group, which imports a command only when it is called; no stack traces."""

import errno
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click
import platformdirs
from pydantic import ValidationError

from skerry.cli.presenting import say
from skerry.core.errors import InvalidInputError, SkerryError, UnavailableError
from skerry.core.settings import default_data_folder
from skerry.core.time import format_time, utc_now
from skerry.core.version import VERSION
from skerry.models.refusals import explain_validation

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("skerry.cli.up:up", "Start the platform on this machine, until Ctrl-C."),
    "down": ("skerry.cli.down:down", "Stop the platform of a data folder."),
    "serve": ("skerry.cli.serve:serve", "Start one more process of a part."),
    "login": ("skerry.cli.login:login", "Log in at a platform elsewhere."),
    "logout": ("skerry.cli.login:logout", "Revoke and forget that login."),
    "whoami": ("skerry.cli.login:whoami", "Show with which account commands work."),
    "status": ("skerry.cli.status:status", "Show which parts of the platform answer."),
    "database": (
        "skerry.cli.database:database_group",
        "Bring the database up to date without starting the platform.",
    ),
    "doctor": ("skerry.cli.doctor.command:doctor", "Check the platform, and name remedies."),
    "maintenance": (
        "skerry.cli.maintenance:maintenance",
        "Announce work on the platform to everybody.",
    ),
    "logs": ("skerry.cli.logs:logs", "Show the log of a run or of a part."),
    "backup": ("skerry.cli.backup:backup", "Copy records and bytes into a folder."),
    "restore": ("skerry.cli.backup:restore", "Fill a new data folder from a backup."),
    "move": ("skerry.cli.move:move", "Take the platform to another database or object store."),
    "audit": ("skerry.cli.audit:audit", "Show who changed what."),
    "disk": ("skerry.cli.disk:disk", "Show what takes space."),
    "prune": ("skerry.cli.prune:prune", "Remove what is needed no more."),
    "import": ("skerry.cli.catalog:import_", "Convert products and register them as items."),
    "export": ("skerry.cli.catalog:export", "Write an item's variable as a GeoTIFF."),
    "convert": ("skerry.cli.convert:convert", "Write a product in another format."),
    "item": ("skerry.cli.items:item_group", "List, show, publish, withdraw and delete items."),
    "search": ("skerry.cli.catalog:search", "Find items by area, time and collection."),
    "collection": (
        "skerry.cli.catalog:collection_group",
        "List, publish, delete collections.",
    ),
    "project": ("skerry.cli.projects:project_group", "Projects, members, requests for access."),
    "share": (
        "skerry.cli.sharing:share",
        "Give a collection, a release or a job to others.",
    ),
    "validate": ("skerry.cli.validate:validate", "Check a product and list every check."),
    "process": ("skerry.cli.process:process", "Run a processor, or the steps of a payload."),
    "new": ("skerry.cli.new.command:new", "Start a project for a new processor."),
    "simulate": ("skerry.cli.simulate:simulate", "Make small simulated products."),
    "demo": ("skerry.cli.demo:demo", "Run the pipeline end to end on simulated data."),
    "release": ("skerry.cli.releases:release", "Propose, approve and list releases."),
    "job": ("skerry.cli.jobs:job", "Create, list, pause and delete jobs."),
    "run": ("skerry.cli.runs:run", "Start, list, show, cancel and retry runs."),
    "cluster": ("skerry.cli.clusters:cluster_group", "List Dask clusters, or stop a cluster."),
    "budget": ("skerry.cli.budgets:budget_group", "Show and set what people and groups may use."),
    "course": ("skerry.cli.courses:course_group", "Keep places on user servers for a course."),
}
"""Command name to its place (``module:attribute``) and its line in ``skerry --help``."""

_PLURALS = frozenset(
    {
        "budgets",
        "clusters",
        "courses",
        "projects",
        "items",
        "collections",
        "runs",
        "jobs",
        "releases",
    }
)
"""Names that people type: each lists, or does what its singular does. Help does not show them."""

_EXIT_INTERRUPTED = 130
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
"""Operating system errors caused by the user's disk or permissions, not by Skerry."""


class LazyGroup(click.Group):
    """A click group that imports a command only when a user calls it.

    ``skerry --help`` lists the table and imports nothing.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the table's order, the order in which people use them."""
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return what is called and with which words; ``runs`` means ``run list``."""
        name, *rest = args
        if name in _PLURALS:
            names_nothing = all(word.startswith("-") for word in rest[:1])
            asks_for_help = rest[:1] in (["-h"], ["--help"])
            verb = ["list"] if names_nothing and not asks_for_help else []
            args = [name.removesuffix("s"), *verb, *rest]
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command, or None if the table does not name it.

        Raises
        ------
        UnavailableError
            If the command needs a part of Skerry that is not installed.
        """
        if cmd_name not in COMMANDS:
            return None
        module_name, _, attribute = COMMANDS[cmd_name][0].partition(":")
        try:
            command = getattr(import_module(module_name), attribute)
        except ModuleNotFoundError as error:
            raise UnavailableError(
                f"'skerry {cmd_name}' needs {error.name}, which is not installed.",
                remedy="Install the whole platform: pip install 'skerry[platform]'.",
            ) from error
        if not isinstance(command, click.Command):
            raise TypeError(f"{module_name}:{attribute} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table's lines, so that help imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="skerry")
def skerry() -> None:
    """Skerry takes an Earth observation notebook from prototype to operations.

    \b
    Example:
      skerry up                          start the platform here
      skerry import S2B_MSIL2A_*.SAFE    catalogue a product
      skerry search --bbox 13,54,15,55   find it again
    """  # noqa: D301


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failure, 2 bad input, 130 interrupted.

    Parameters
    ----------
    arguments
        The words after ``skerry``; those of this process if None.
    """
    # commands say themselves that a database is away, in their own words
    logging.getLogger("skerry.storage.absence").addHandler(logging.NullHandler())
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; errors go to standard error."""
    try:
        result = skerry.main(args=arguments, prog_name="skerry", standalone_mode=False)
    except BrokenPipeError:
        return _close_output()
    except (click.Abort, KeyboardInterrupt):
        say("Interrupted.", err=True)
        return _EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last resort: a person gets a line, not a trace
        return _report(error)
    # Without standalone mode click hands back the code of `ctx.exit(code)`.
    return result if isinstance(result, int) else 0


def _report(error: Exception) -> int:
    """Write an error to standard error and return the exit code."""
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, SkerryError):
        return _report_expected(error)
    if isinstance(error, ValidationError):  # the platform would refuse this request too
        return _report_expected(explain_validation(error.errors(include_url=False)))
    if isinstance(error, OSError) and error.errno in _REFUSED:
        refused = InvalidInputError(
            f"{error.filename or 'A file'} cannot be read or written ({error.strerror}).",
            remedy="Check the permissions of the file and the free space of the disk.",
        )
        return _report_expected(refused)
    if failure := _explain_database(error):
        return _report_expected(failure)
    return _report_unexpected(error)


def _explain_database(error: Exception) -> SkerryError | None:
    """Return why a database is of no use now, None for another error."""
    if "sqlalchemy" not in sys.modules:  # most commands open none
        return None
    from sqlalchemy.exc import OperationalError

    from skerry.storage.database_failures import explain_failure

    # SQLite calls a wrong statement by the same name
    is_fault = getattr(getattr(error, "orig", None), "sqlite_errorname", None) == "SQLITE_ERROR"
    return explain_failure(error) if isinstance(error, OperationalError) and not is_fault else None


def _report_expected(error: SkerryError) -> int:
    """Write the error and the remedy, each on its own line."""
    say(f"Error: {error.what}", err=True)
    say(error.remedy, err=True)
    if _debugging():
        traceback.print_exception(error)
    return error.exit_code


def _report_unexpected(error: Exception) -> int:
    """Write one line, and the stack trace into a log (or to the screen if SKERRY_DEBUG=1)."""
    summary = " ".join(str(error).split())[:300]
    say(f"Error: {type(error).__name__}: {summary}", err=True)
    if _debugging():
        traceback.print_exception(error)
    else:
        say(f"This is a fault in Skerry. {_keep_trace(error)}", err=True)
    return 1


def _keep_trace(error: Exception) -> str:
    """Append the stack trace to the command line's log and return a sentence with its path."""
    log = _log_file()
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as stream:
            os.fchmod(descriptor, 0o600)  # an older Skerry created it with other rights
            stream.write(f"{format_time(utc_now())} skerry {' '.join(sys.argv[1:])}\n")
            traceback.print_exception(error, file=stream)
    except OSError:
        return "Set SKERRY_DEBUG=1 to see where."
    return f"The stack trace is in {log}."


def _log_file() -> Path:
    """Return the log in the data folder's logs if it has any, else the user's own log."""
    beside = default_data_folder() / "logs"
    folder = beside if beside.is_dir() else Path(platformdirs.user_log_dir("skerry"))
    return folder / "cli.log"


def _debugging() -> bool:
    return os.environ.get("SKERRY_DEBUG") == "1"


def _close_output() -> int:
    """End quietly when the reader of our output (``| head``) has gone."""
    # Python flushes standard output again at exit, so replace it by a working file.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
