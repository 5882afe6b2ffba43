"""`skerry doctor`: checks a running or broken platform, and names the remedy of each fault.

On one machine it opens the data folder itself instead of asking the api, so that it works when
nothing answers. In a pod of the platform it looks from there at every part; with ``--platform`` it
looks at one elsewhere as a person does.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import click

from skerry.cli.doctor import inside
from skerry.cli.doctor.findings import Finding, Look, describe_error
from skerry.cli.doctor.machine import CHECKS
from skerry.cli.folder import data_option
from skerry.cli.presenting import json_option, say
from skerry.core.errors import SkerryError
from skerry.storage.layout import DataFolder

_EXIT_BROKEN = 2
_MARKS = {"well": ("ok", "green"), "attention": ("look", "yellow"), "broken": ("BROKEN", "red")}


@click.command()
@data_option
@click.option("--platform", metavar="ADDRESS", help="Look at the platform at ADDRESS from here.")
@click.option(
    "--run", "with_run", is_flag=True,
    help="Also carry out a small run end to end, and remove it again: up to two minutes.",
)  # fmt: skip
@json_option
@click.pass_context
def doctor(
    ctx: click.Context, data: Path, platform: str | None, *, with_run: bool, as_json: bool
) -> None:
    """Check a platform, running or not, and name the remedy of each fault.

    The exit code is 2 if a check finds a fault.

    \b
    Examples:
      skerry doctor
      skerry doctor --run
      skerry doctor --platform https://eo.example.org      after 'skerry login'
      kubectl exec deployment/skerry-api -- skerry doctor
    """  # noqa: D301
    findings = _examine_all(DataFolder(data), platform, with_run=with_run)
    if as_json:
        seen = list(findings)
        say("[" + ",\n ".join(entry.model_dump_json(exclude_none=True) for entry in seen) + "]")
    else:
        seen = _print_findings(findings)
    ctx.exit(_EXIT_BROKEN if any(entry.state == "broken" for entry in seen) else 0)


def _examine_all(folder: DataFolder, platform: str | None, *, with_run: bool) -> Iterator[Finding]:
    """Yield the finding of every check, each as soon as it is there."""
    if platform is None:
        yield from look_from_here(folder)
    else:
        from skerry.cli.doctor.outside import examine_outside, find_session

        session = find_session(platform)
        with nullcontext() if session is None else closing(session):
            yield from examine_outside(platform, session)
    if with_run:
        yield from _go_end_to_end(platform)


def _go_end_to_end(platform: str | None) -> Iterator[Finding]:
    from skerry.cli.doctor.end_to_end import EndToEndRun
    from skerry.cli.doctor.outside import find_session
    from skerry.client.session import connect

    try:
        session = connect() if platform is None else find_session(platform)
    except SkerryError as error:
        yield describe_error("run", error)
        return
    if session is None:
        yield Finding(
            check="run", state="broken", detail="An end-to-end run needs a login.",
            remedy=f"Run 'skerry login {platform}'.",
        )  # fmt: skip
        return
    yield from EndToEndRun(session).go()


def examine(folder: DataFolder) -> list[Finding]:
    """Return the finding of every check; a check that fails itself is a finding too."""
    return list(look_from_here(folder))


def look_from_here(folder: DataFolder) -> Iterator[Finding]:
    """Yield the findings of this machine, or of this pod of the platform."""
    if inside.is_inside():
        folder.create()  # the parts of a pod make it at their start
        for name, look in inside.CHECKS.items():
            yield from _look(name, look, folder)
        return
    if not folder.root.is_dir():
        yield Finding(
            check="data folder", state="broken", detail=f"{folder.root} does not exist.",
            remedy="Run 'skerry up' to create it, or name another with --data or SKERRY_DATA.",
        )  # fmt: skip
        return
    for name, look in CHECKS.items():
        yield from _look(name, look, folder)


def _look(name: str, look: Look, folder: DataFolder) -> Iterator[Finding]:
    try:
        yield from look(folder)
    except SkerryError as error:
        yield describe_error(name, error)
    except OSError as error:
        yield Finding(
            check=name, state="broken", detail=f"{error.filename or folder.root}: {error.strerror}",
            remedy="Make the user who runs the platform the owner of the folder and its content.",
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001 - whatever is broken, the other checks go on
        summary = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        yield Finding(
            check=name, state="broken", detail=f"The check itself failed: {summary}",
            remedy="This is a fault in Skerry: report it with this line.",
        )  # fmt: skip


def _print_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Print each finding as it comes, and how many there are of each kind; return them."""
    seen = []
    for entry in findings:
        seen.append(entry)
        mark, colour = _MARKS[entry.state]
        mark = click.style(f"{mark:<8}", fg=colour)
        took = "" if entry.seconds is None else f"{entry.seconds:>6.1f} s  "
        say(f"{entry.check:<13}{took}{entry.detail}", mark=mark)
        if entry.remedy:
            say(f"{'':<21}{entry.remedy}")
    broken = sum(entry.state == "broken" for entry in seen)
    attention = sum(entry.state == "attention" for entry in seen)
    say(f"\n{broken} broken, {attention} to look at, of {len(seen)} checked.")
    return seen
