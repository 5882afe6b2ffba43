"""The first page: what there is and where to go."""

import asyncio
from collections import Counter
from typing import Any

import panel as pn

from skerry.core.errors import SkerryError
from skerry.core.scopes import Scope
from skerry.core.settings import DASHBOARDS_PREFIX
from skerry.dashboards.board import read_jobs, read_runs
from skerry.dashboards.catalogue import read_latest, read_picture
from skerry.dashboards.shell import lay_page, render, show_error, show_html
from skerry.dashboards.visit import Visit


class OverviewPage:
    """Figures of the run history, coming ticks and the newest products, with links.

    Parameters
    ----------
    visit
        Who looks, and their session with the platform.
    """

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._pane = show_html(render("loading.html"))

    def show(self) -> pn.Template:
        """Lay the page and fill it once it is open."""
        pn.state.onload(self._fill)
        return lay_page(
            page="", title="Overview", viewer=self._visit.viewer, parts={"main": self._pane}
        )

    async def _fill(self) -> None:
        try:
            values = await asyncio.to_thread(self._read)
        except SkerryError as error:
            self._pane.object = show_error(error)
            return
        self._pane.object = render("overview.html", prefix=DASHBOARDS_PREFIX, **values)

    def _read(self) -> dict[str, Any]:
        session, viewer = self._visit.session, self._visit.viewer
        values: dict[str, Any] = {"runs": None, "jobs": None, "counts": None, "products": None}
        if viewer.may(Scope.PRODUCTION_READ):
            runs = read_runs(session, prefix=DASHBOARDS_PREFIX)
            values["runs"] = runs[:5]
            values["counts"] = Counter(run.status for run in runs)
            values["jobs"] = [job for job in read_jobs(session) if job.next_tick][:5]
        if viewer.may(Scope.CATALOG_READ):
            products = read_latest(session)
            values["products"] = [
                (product, read_picture(session, product.thumbnail) if product.thumbnail else "")
                for product in products
            ]
        return values
