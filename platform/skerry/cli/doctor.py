"""`skerry doctor`: checks a running or broken platform, and names the remedy of each fault.

It opens the data folder itself instead of asking the api, so that it works when nothing answers.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from skerry.cli.findings import Finding, Look
from skerry.cli.folder import data_option
from skerry.cli.platform_checks import CHECKS
from skerry.cli.presenting import json_option, say
from skerry.core.errors import SkerryError
from skerry.storage.layout import DataFolder


@click.command()
@data_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, data: Path, *, as_json: bool) -> None:
    """Check a platform, running or not, and name the remedy of each fault.

    The exit code is 1 if a check finds a fault.

    \b
    Example:
      skerry doctor
    """  # noqa: D301
    findings = examine(DataFolder(data))
    if as_json:
        say("[" + ",\n ".join(entry.model_dump_json() for entry in findings) + "]")
    else:
        _print_findings(findings)
    ctx.exit(1 if any(entry.state == "broken" for entry in findings) else 0)


def examine(folder: DataFolder) -> list[Finding]:
    """Return the finding of every check; a check that fails itself is a finding too."""
    if not folder.root.is_dir():
        return [
            Finding(
                check="data folder", state="broken", detail=f"{folder.root} does not exist.",
                remedy="Run 'skerry up' to create it, or name another with --data or SKERRY_DATA.",
            )
        ]  # fmt: skip
    return [finding for name, look in CHECKS.items() for finding in _look(name, look, folder)]


def _look(name: str, look: Look, folder: DataFolder) -> Iterator[Finding]:
    try:
        yield from look(folder)
    except SkerryError as error:
        yield Finding(check=name, state="broken", detail=error.what, remedy=error.remedy)
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


def _print_findings(findings: list[Finding]) -> None:
    marks = {"well": ("ok", "green"), "attention": ("look", "yellow"), "broken": ("BROKEN", "red")}
    for entry in findings:
        mark, colour = marks[entry.state]
        mark = click.style(f"{mark:<8}", fg=colour)
        say(f"{entry.check:<13}{entry.detail}", mark=mark)
        if entry.remedy:
            say(f"{'':<21}{entry.remedy}")
    broken = sum(entry.state == "broken" for entry in findings)
    attention = sum(entry.state == "attention" for entry in findings)
    say(f"\n{broken} broken, {attention} to look at, of {len(findings)} checked.")
