"""One run's page: its facts, its attempts with their files, the end of its log, two buttons."""

import asyncio
import json
from collections.abc import Callable

import panel as pn

from skerry.client.production import cancel_run, retry_run
from skerry.client.session import Session, join_address
from skerry.core.errors import SkerryError
from skerry.core.ownership import Verb
from skerry.core.scopes import Scope
from skerry.core.settings import DASHBOARDS_PREFIX
from skerry.dashboards.board import describe_attempts, describe_run, read_run, show_time
from skerry.dashboards.shell import lay_page, show_error, show_html
from skerry.dashboards.starting import style_button
from skerry.dashboards.templating import render
from skerry.dashboards.visit import Visit
from skerry.models.runs import Run, RunDetails
from skerry.storage.run_folder import RunFile

_REFRESH_MS = 2000
_LOG_BYTES = 40_000
_LOG_LINES = 200


class RunPage:
    """The page of one run for one viewer.

    Parameters
    ----------
    visit
        The viewer, and their session with the platform.
    run
        The run's id, from the page's address.
    """

    def __init__(self, visit: Visit, run: str) -> None:
        self._visit = visit
        self._run = run
        self._pane = show_html(render("loading.html"))
        self._said = show_html()
        self._cancel = style_button("Cancel", danger=True)
        self._retry = style_button("Retry")
        self._cancel.on_click(self._ask_to_cancel)
        self._retry.on_click(self._ask_to_retry)
        self._cancel.visible = self._retry.visible = False

    @property
    def _path(self) -> str:
        return join_address("production", "runs", self._run)

    def show(self) -> pn.Template:
        """Build the page and renew it while it is open."""
        pn.state.onload(self._renew)
        pn.state.add_periodic_callback(self._renew, period=_REFRESH_MS)
        buttons = pn.FlexBox(self._cancel, self._retry, gap="0 16px", margin=0)
        main = pn.Column(buttons, self._said, self._pane, sizing_mode="stretch_width", margin=0)
        return lay_page(page="runs", title="Run", viewer=self._visit.viewer, parts={"main": main})

    async def _renew(self) -> None:
        try:
            run, log = await asyncio.to_thread(self._read)
        except SkerryError as error:
            self._pane.object = show_error(error)
            return
        changes = self._visit.may(Verb.CHANGE, run)
        self._cancel.visible = changes and not run.status.has_ended
        self._retry.visible = changes and run.status.can_be_retried
        self._pane.object = render(
            "run.html",
            run=describe_run(run, prefix=DASHBOARDS_PREFIX),
            facts=list_facts(run),
            parameters=[(name, json.dumps(value)) for name, value in run.parameters.items()],
            attempts=describe_attempts(run) if self._visit.may(Verb.SEE, run) else None,
            log=log,
        )

    def _read(self) -> tuple[RunDetails, str | None]:
        self._visit.require(Scope.PRODUCTION_READ)
        run = read_run(self._visit.session, self._run)
        if not self._visit.may(Verb.READ_RECORDS, run):
            return run, None
        return run, self._read_log_end() if run.epoch else ""

    def _read_log_end(self) -> str:
        """Return the last lines of the newest attempt's log; a link leads to its whole text."""
        answer = self._visit.session.send(
            "GET", f"{self._path}/files/{RunFile.LOG}", headers={"Range": f"bytes=-{_LOG_BYTES}"}
        )
        lines = answer.content.decode(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:])

    async def _ask_to_cancel(self, _event: object) -> None:
        await self._ask(cancel_run)

    async def _ask_to_retry(self, _event: object) -> None:
        await self._ask(retry_run)

    async def _ask(self, order: Callable[[Session, str], RunDetails]) -> None:
        try:
            await asyncio.to_thread(order, self._visit.session, self._run)
        except SkerryError as error:
            self._said.object = show_error(error)
        else:
            self._said.object = ""
        await self._renew()


def list_facts(run: Run) -> list[tuple[str, str]]:
    """Return names and values of a run's facts, without empty values."""
    approved = " (approved by its own proposer)" if run.self_approved else ""
    facts = (
        ("Release", f"{run.release_name} {run.release}{approved}"),
        ("Occurrence", run.occurrence),
        ("Data day", run.data_day),
        ("Partition", run.partition),
        ("Publishes to", run.collection),
        ("Asked by", run.created_by),
        ("Owner", run.owner),
        ("Recorded", show_time(run.created)),
        ("Started", show_time(run.started)),
        ("Ended", show_time(run.ended)),
    )
    return [(name, str(value)) for name, value in facts if value]
