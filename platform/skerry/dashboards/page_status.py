"""The HTTP status of a page that shows one thing: 404 when the thing does not exist."""

import asyncio
from collections.abc import Callable, Mapping

from panel.io.server import DocHandler

from skerry.client.budgets import fetch_budgets
from skerry.client.projects import fetch_project
from skerry.client.session import Session
from skerry.core.errors import SkerryError
from skerry.dashboards.board import RunFilter, read_run, read_runs
from skerry.dashboards.catalogue import read_product
from skerry.dashboards.products import parse_item_name

Arguments = Mapping[str, str]


class PageHandler(DocHandler):  # type: ignore[misc]
    """A page: it asks the api first whether the thing in the page's address exists.

    The page itself shows the error and stays alive, so that the viewer can choose another thing,
    and so that it shows the thing as soon as the api answers again.
    """

    async def get(self, *args: str, **kwargs: str) -> None:
        """Answer with the page, and with the status of what it shows."""
        arguments = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        page = self.request.path.removeprefix(self.application.prefix).strip("/")
        look_up = _LOOK_UPS.get(page)
        if look_up is not None:
            try:
                await asyncio.to_thread(self._look_up, look_up, arguments)
            except SkerryError as error:
                self.set_status(error.status)
        await super().get(*args, **kwargs)

    def _look_up(self, look_up: Callable[[Session, Arguments], None], arguments: Arguments) -> None:
        with self.request.viewer.open_session(self.settings["inside_url"]) as session:
            look_up(session, arguments)


def _look_up_item(session: Session, arguments: Arguments) -> None:
    if item := arguments.get("item"):
        read_product(session, *parse_item_name(item))


def _look_up_run(session: Session, arguments: Arguments) -> None:
    read_run(session, arguments.get("id", ""))


def _look_up_runs(session: Session, arguments: Arguments) -> None:
    run_filter = RunFilter(
        **{name: arguments.get(name, "") for name in ("job", "status", "before")}
    )
    if run_filter != RunFilter():
        read_runs(session, run_filter, prefix="")


def _look_up_project(session: Session, arguments: Arguments) -> None:
    if name := arguments.get("name"):
        fetch_project(session, name)


def _look_up_month(session: Session, arguments: Arguments) -> None:
    if month := arguments.get("month"):
        fetch_budgets(session, month)


_LOOK_UPS = {
    "projects": _look_up_project,
    "budgets": _look_up_month,
    "map": _look_up_item,
    "run": _look_up_run,
    "runs": _look_up_runs,
}
