"""`skerry maintenance`: announces work on the platform on its status page."""

import click

from skerry.cli.presenting import json_option, print_json, say
from skerry.core.time import format_time, parse_time
from skerry.models.notices import Maintenance, Notices


@click.group()
def maintenance() -> None:
    """Announce work on the platform to everybody, on its status page.

    \b
    Example:
      skerry maintenance announce "New version; running jobs go on." \\
          --from 2026-12-01T20:00:00Z --until 2026-12-01T21:00:00Z
    """  # noqa: D301


@maintenance.command("announce")
@click.argument("text")
@click.option(
    "--from", "begins", required=True, help="When it begins, such as 2026-12-01T20:00:00Z."
)
@click.option("--until", "ends", required=True, help="When it ends; then the notice goes.")
@json_option
def announce(text: str, begins: str, ends: str, *, as_json: bool) -> None:
    """Announce maintenance, in place of what was announced before. Everybody can read TEXT.

    Example: skerry maintenance announce "New version" --from 2026-12-01T20:00:00Z
    --until 2026-12-01T21:00:00Z
    """
    from skerry.client.notices import announce_maintenance
    from skerry.client.session import connect

    planned = Maintenance(begins=parse_time(begins), ends=parse_time(ends), text=text)
    _show(announce_maintenance(connect(), planned), as_json=as_json)


@maintenance.command("show")
@json_option
def show(*, as_json: bool) -> None:
    """Show what is announced.

    Example: skerry maintenance show
    """
    from skerry.client.notices import fetch_notices
    from skerry.client.session import connect

    _show(fetch_notices(connect()), as_json=as_json)


@maintenance.command("withdraw")
def withdraw() -> None:
    """Withdraw what is announced.

    Example: skerry maintenance withdraw
    """
    from skerry.client.notices import withdraw_maintenance
    from skerry.client.session import connect

    withdraw_maintenance(connect())
    say("No maintenance is announced any more.")


def _show(notices: Notices, *, as_json: bool) -> None:
    planned = notices.maintenance
    if as_json:
        print_json(planned)
    elif planned is None:
        say("No maintenance is announced.")
    else:
        say(f"{format_time(planned.begins)} to {format_time(planned.ends)}: {planned.text}")
