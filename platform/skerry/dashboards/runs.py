"""The runs page: run history and jobs, renewed every few seconds; a chosen job can be started."""

import asyncio

import panel as pn

from skerry.client.production import count_runs
from skerry.core.errors import SkerryError
from skerry.core.scopes import Scope
from skerry.core.settings import DASHBOARDS_PREFIX
from skerry.dashboards.board import (
    STATUSES,
    JobRow,
    RunFilter,
    read_jobs,
    read_runs,
)
from skerry.dashboards.shell import lay_page, show_error, show_html
from skerry.dashboards.starting import StartForm
from skerry.dashboards.templating import render
from skerry.dashboards.visit import Visit
from skerry.models.runs import RunStatus

REFRESH_MS = 3000


class RunsPage:
    """The page of runs and jobs for one viewer.

    Parameters
    ----------
    visit
        The viewer, and their session with the platform.
    job, status, before
        The runs to show, from the page's address; see `RunFilter`.
    """

    def __init__(self, visit: Visit, *, job: str = "", status: str = "", before: str = "") -> None:
        self._visit = visit
        self._filter = RunFilter(job, status, before)
        self._filters = show_html()
        self._runs_pane = show_html(render("loading.html"))
        self._jobs_pane = show_html()
        self._start = StartForm(visit, job) if job else None

    def show(self) -> pn.Template:
        """Build the page and renew it while it is open."""
        pn.state.onload(self._renew)
        pn.state.add_periodic_callback(self._renew, period=REFRESH_MS)
        parts = [self._filters, self._runs_pane, self._jobs_pane]
        if self._start is not None:
            pn.state.onload(self._start.fill)
            parts.insert(1, self._start.panel)
        main = pn.Column(*parts, sizing_mode="stretch_width", margin=0)
        return lay_page(page="runs", title="Runs", viewer=self._visit.viewer, parts={"main": main})

    async def _renew(self) -> None:
        try:
            jobs, counts = await asyncio.to_thread(self._read_choices)
        except SkerryError as error:
            self._runs_pane.object = show_error(error)
            self._filters.object = self._jobs_pane.object = ""
            return
        # an unchanged table is left alone, so that focus and selection stay where they are
        self._filters.object = self._draw_filters(jobs, counts)
        self._jobs_pane.object = render("jobs.html", jobs=jobs)
        try:
            self._runs_pane.object = await asyncio.to_thread(self._draw_runs)
        except SkerryError as error:  # of a wrong filter: the filters above lead on
            self._runs_pane.object = show_error(error)

    def _read_choices(self) -> tuple[list[JobRow], dict[RunStatus, int]]:
        self._visit.require(Scope.PRODUCTION_READ)
        session = self._visit.session
        jobs = read_jobs(session, prefix=DASHBOARDS_PREFIX)
        return jobs, count_runs(session, self._filter.job or None)

    def _draw_filters(self, jobs: list[JobRow], counts: dict[RunStatus, int]) -> str:
        chosen = {self._filter.job} if self._filter.job else set()
        return render(
            "filters.html",
            prefix=DASHBOARDS_PREFIX,
            jobs=sorted({job.name for job in jobs} | chosen),
            statuses=STATUSES,
            run_filter=self._filter,
            counts=counts,
        )

    def _draw_runs(self) -> str:
        runs = read_runs(self._visit.session, self._filter, prefix=DASHBOARDS_PREFIX)
        newest = self._filter.link(DASHBOARDS_PREFIX, before="") if self._filter.before else ""
        return render("runs.html", runs=runs.rows, newest=newest, older=runs.older)
