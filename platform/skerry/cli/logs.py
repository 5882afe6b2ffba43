"""`skerry logs`: the log of a run or of one of the platform's own parts."""

import time

import click

from skerry.client import Session, connect
from skerry.core.errors import NotFoundError

_POLL_S = 0.5
_ENDED = frozenset({"succeeded", "failed", "cancelled"})


@click.command()
@click.argument("name", metavar="RUN|PART")
@click.option("-f", "--follow", is_flag=True, help="Go on as it grows; until the run has ended.")
def logs(name: str, *, follow: bool) -> None:
    """Show the log of RUN, or of a PART such as api, worker or hub.

    Example: skerry logs 019c2f -f
    """
    session = connect()
    parts = _list_parts(session)
    if name in parts:
        _show_part(session, name, follow=follow)
    else:
        _show_run(session, name, parts, follow=follow)


def _list_parts(session: Session) -> list[str]:
    return list(session.request("GET", "platform/logs")["parts"])


def _show_part(session: Session, part: str, *, follow: bool) -> None:
    begin = 0
    while True:
        answer = session.send("GET", f"platform/logs/{part}", params={"from": begin})
        following = int(answer.headers["X-Next"])
        click.echo(answer.text, nl=False)
        if following == begin:
            if not follow:
                return
            time.sleep(_POLL_S)
        begin = following


def _show_run(session: Session, run: str, parts: list[str], *, follow: bool) -> None:
    try:
        session.request("GET", f"production/runs/{run}")
    except NotFoundError:
        raise NotFoundError(
            f"There is no run and no part {run!r}.",
            remedy=f"'skerry runs' shows runs; parts are {', '.join(parts)}.",
        ) from None
    begin, epoch = 0, None
    while True:
        ended = session.request("GET", f"production/runs/{run}")["status"] in _ENDED
        answer = session.send("GET", f"production/runs/{run}/log", params={"from": begin})
        if epoch not in (None, answer.headers["X-Epoch"]):  # another attempt, another log
            begin, epoch = 0, None
            continue
        following, epoch = int(answer.headers["X-Next"]), answer.headers["X-Epoch"]
        click.echo(answer.text, nl=False)
        if following == begin:
            if ended or not follow:
                return
            time.sleep(_POLL_S)
        begin = following
