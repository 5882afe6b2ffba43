"""`skerry logs`: the log of a run or of one of the platform's own parts."""

import json
import time
from typing import Any

import click

from skerry.cli.presenting import say, say_bytes
from skerry.client.production import fetch_run
from skerry.client.session import Session, connect, join_address
from skerry.core.errors import (
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from skerry.core.settings import default_data_folder
from skerry.models.platform import LogList
from skerry.storage.layout import DataFolder

_POLL_S = 0.5


@click.command()
@click.argument("name", metavar="RUN|PART")
@click.option(
    "-f", "--follow", is_flag=True, help="Follow the log as it grows, until the run has ended."
)
@click.option(
    "--attempt",
    type=click.IntRange(1),
    help="For a run: the number of the attempt.  [default: the newest]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line for each piece.")
def logs(name: str, *, attempt: int | None, follow: bool, as_json: bool) -> None:
    """Show the log of RUN, or of a PART such as api, worker or hub.

    Example: skerry logs 019c2f -f
    """
    session = connect()
    try:
        parts = _list_parts(session)
    except UnavailableError:
        _show_file(name, as_json=as_json)
        if follow:
            say("The platform does not answer: what comes later is not shown.", err=True)
        return
    if name in parts:
        if attempt is not None:
            raise InvalidInputError(
                f"{name!r} is a part of the platform, and has no attempt {attempt}.",
                remedy="Give --attempt with the id of a run: 'skerry run list' shows them.",
            )
        _show_part(session, name, follow=follow, as_json=as_json)
    else:
        _show_run(session, name, parts, attempt, follow=follow, as_json=as_json)


def _show_file(part: str, *, as_json: bool) -> None:
    """Show a part's log from this machine's data folder: the platform does not answer."""
    folder = DataFolder(default_data_folder()).logs
    files = {path.stem: path for path in folder.glob("*.log")}
    if part not in files:
        raise UnavailableError(
            f"The platform does not answer, and {folder} has no log of {part!r}.",
            remedy=f"Start it with 'skerry up'. Logs: {', '.join(sorted(files)) or 'none'}.",
        )
    _show_text(files[part].read_bytes(), {"part": part}, as_json=as_json)


def _list_parts(session: Session) -> list[str]:
    """Return the parts whose logs this account may read; for most accounts there are none."""
    try:
        return session.fetch(LogList, "GET", "platform/logs").parts
    except ForbiddenError:
        return []


def _show_part(session: Session, part: str, *, follow: bool, as_json: bool) -> None:
    begin = 0
    while True:
        answer = session.send("GET", join_address("platform", "logs", part), params={"from": begin})
        following = int(answer.headers["X-Next"])
        _show_text(answer.content, {"part": part}, as_json=as_json)
        if following == begin:
            if not follow:
                return
            time.sleep(_POLL_S)
        begin = following


def _show_run(
    session: Session,
    run: str,
    parts: list[str],
    attempt: int | None,
    *,
    follow: bool,
    as_json: bool,
) -> None:
    try:
        fetch_run(session, run)
    except NotFoundError:
        raise NotFoundError(
            f"There is no run and no part {run!r}.",
            remedy="'skerry run list' shows runs; parts are "
            f"{', '.join(parts) or 'not yours to see'}.",
        ) from None
    begin, epoch = 0, None
    while True:
        ended = fetch_run(session, run).status.has_ended
        query = {"from": begin, "epoch": attempt}
        answer = session.send("GET", join_address("production", "runs", run, "log"), params=query)
        if epoch not in (None, answer.headers["X-Epoch"]):  # another attempt, another log
            begin, epoch = 0, None
            continue
        following, epoch = int(answer.headers["X-Next"]), answer.headers["X-Epoch"]
        _show_text(answer.content, {"run": run, "epoch": int(epoch)}, as_json=as_json)
        if following == begin:
            if ended or not follow:
                return
            time.sleep(_POLL_S)
        begin = following


def _show_text(content: bytes, of: dict[str, Any], *, as_json: bool) -> None:
    if not content:
        return
    if as_json:
        say(json.dumps({**of, "text": content.decode(errors="replace")}))
    else:
        say_bytes(content)
