"""The runs page: run history and coming ticks, renewed every few seconds."""

import asyncio

import panel as pn

from skerry.core.errors import SkerryError
from skerry.core.scopes import Scope
from skerry.core.settings import DASHBOARDS_PREFIX
from skerry.dashboards.board import STATUSES, JobRow, RunRow, read_jobs, read_runs
from skerry.dashboards.shell import lay_page, render, show_error, show_html, style_widget
from skerry.dashboards.visit import Visit

REFRESH_MS = 3000


class RunsPage:
    """What one viewer sees of runs and jobs.

    Parameters
    ----------
    visit
        Who looks, and their session with the platform.
    """

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._jobs_pane = show_html(render("loading.html"))
        self._runs_pane = show_html()
        self._job = style_widget(pn.widgets.Select(label="Job", options={"Any job": ""}), 240)
        statuses = {"Any status": "", **{status: status for status in STATUSES}}
        self._status = style_widget(pn.widgets.Select(label="Status", options=statuses), 180)
        for chooser in (self._job, self._status):
            chooser.param.watch(self._renew, "value")

    def show(self) -> pn.Template:
        """Lay the page and keep it fresh while it is open."""
        pn.state.onload(self._renew)
        pn.state.add_periodic_callback(self._renew, period=REFRESH_MS)
        main = pn.Column(
            self._jobs_pane,
            pn.FlexBox(self._job, self._status, gap="0 16px", margin=0),
            self._runs_pane,
            sizing_mode="stretch_width",
            margin=0,
        )
        return lay_page(page="runs", title="Runs", viewer=self._visit.viewer, parts={"main": main})

    async def _renew(self, *_event: object) -> None:
        try:
            jobs, runs = await asyncio.to_thread(self._read)
        except SkerryError as error:
            self._jobs_pane.object, self._runs_pane.object = show_error(error), ""
            return
        self._offer_jobs(jobs)
        # an unchanged table is left alone, so that focus and selection stay where they are
        self._jobs_pane.object = render("jobs.html", jobs=jobs)
        self._runs_pane.object = render("runs.html", runs=runs)

    def _read(self) -> tuple[list[JobRow], list[RunRow]]:
        self._visit.require(Scope.PRODUCTION_READ)
        session = self._visit.session
        runs = read_runs(
            session, prefix=DASHBOARDS_PREFIX, job=self._job.value, status=self._status.value
        )
        return read_jobs(session), runs

    def _offer_jobs(self, jobs: list[JobRow]) -> None:
        options = {"Any job": "", **{job.name: job.name for job in jobs}}
        if self._job.value and self._job.value not in options.values():
            options[self._job.value] = self._job.value
        if options != self._job.options:
            self._job.options = options
