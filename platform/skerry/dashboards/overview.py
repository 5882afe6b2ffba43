"""The first page: figures and links, renewed every few seconds."""

import asyncio
from typing import Any

import panel as pn

from skerry.client.production import count_runs
from skerry.core.errors import SkerryError
from skerry.core.scopes import Scope
from skerry.core.settings import DASHBOARDS_PREFIX
from skerry.dashboards.board import RunFilter, read_jobs, read_runs
from skerry.dashboards.catalogue import read_latest, read_picture
from skerry.dashboards.platform_health import read_health
from skerry.dashboards.products import Product
from skerry.dashboards.shell import lay_page, show_error, show_html
from skerry.dashboards.templating import render
from skerry.dashboards.visit import Visit

_REFRESH_MS = 5000
_SHOWN = 5


class OverviewPage:
    """Figures of the run history, coming ticks, health and the newest products, with links.

    Parameters
    ----------
    visit
        The viewer, and their session with the platform.
    """

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._pane = show_html(render("loading.html"))
        self._pictures: dict[str, str] = {}

    def show(self) -> pn.Template:
        """Build the page and renew it while it is open."""
        pn.state.onload(self._renew)
        pn.state.add_periodic_callback(self._renew, period=_REFRESH_MS)
        return lay_page(
            page="", title="Overview", viewer=self._visit.viewer, parts={"main": self._pane}
        )

    async def _renew(self) -> None:
        try:
            values = await asyncio.to_thread(self._read)
        except SkerryError as error:
            self._pane.object = show_error(error)
            return
        self._pane.object = render("overview.html", prefix=DASHBOARDS_PREFIX, **values)

    def _read(self) -> dict[str, Any]:
        session, viewer = self._visit.session, self._visit.viewer
        values: dict[str, Any] = dict.fromkeys(("runs", "jobs", "counts", "products", "health"))
        if viewer.may(Scope.PRODUCTION_READ):
            runs = read_runs(session, RunFilter(), prefix=DASHBOARDS_PREFIX)
            values["runs"] = runs.rows[:_SHOWN]
            values["counts"] = count_runs(session)
            jobs = read_jobs(session, prefix=DASHBOARDS_PREFIX)
            values["jobs"] = [job for job in jobs if job.next_tick][:_SHOWN]
            values["health"] = read_health(
                session, may_operate=viewer.may(Scope.PRODUCTION_OPERATE)
            )
        if viewer.may(Scope.CATALOG_READ):
            products = read_latest(session)
            values["products"] = [(product, self._find_picture(product)) for product in products]
        return values

    def _find_picture(self, product: Product) -> str:
        """Return a product's picture, fetched once per visit."""
        path = product.thumbnail
        if path and path not in self._pictures:
            self._pictures[path] = read_picture(self._visit.session, path)
        return self._pictures.get(path, "")
