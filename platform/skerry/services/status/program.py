"""The status program, ``python -m skerry.services.status.program``: one page for everybody.

On Kubernetes it has a pod and a route of its own, past the hub and its proxy.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Depends, FastAPI
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from starlette.responses import Response

from skerry.core.errors import NotFoundError
from skerry.core.parts import PARTS_VARIABLE, read_parts
from skerry.core.programs import run_program
from skerry.core.settings import STATUS_PREFIX, ServiceSettings, read_variables
from skerry.core.time import format_time, utc_now
from skerry.models.platform import PartHealth
from skerry.models.status import PartState, StatusReport
from skerry.services.application import create_bare_application, serve
from skerry.services.guarded_route import create_router
from skerry.services.identity import anyone
from skerry.services.media import sends
from skerry.services.status.board import StatusBoard

_NOTICES = "notices"
"""Among the parts' addresses: where the api tells planned maintenance."""

_LOOK_S = 10.0
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'"
)
_ASSETS = {
    "frame.css": ("skerry.core.look", "text/css; charset=utf-8"),
    "icon.svg": ("skerry.core.look", "image/svg+xml"),
    "status.css": ("skerry.services.status", "text/css; charset=utf-8"),
}
_MARKS = {
    PartState.WORKS: "●", PartState.SLOW: "◐", PartState.IN_PART: "◐", PartState.AWAY: "○",
}  # fmt: skip


def create_status(settings: ServiceSettings, board: StatusBoard) -> FastAPI:
    """Return the application, which looks at the parts for as long as it runs."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await board.look()
        looking = asyncio.create_task(_go_on(board))
        yield
        looking.cancel()

    return create_bare_application(
        settings, [_create_router(board)], "Skerry status", prefix=STATUS_PREFIX, lifespan=lifespan
    )


async def _go_on(board: StatusBoard) -> None:
    while True:
        await asyncio.sleep(_LOOK_S)
        await board.look()


def _create_router(board: StatusBoard) -> APIRouter:
    router = create_router(tags=["status"], dependencies=[Depends(anyone())])

    @router.get("/health")
    async def get_health() -> PartHealth:
        """Report that this program answers."""
        return PartHealth(ready=True)

    @router.get("/status.json")
    async def get_status() -> StatusReport:
        """Return how each part of the platform does."""
        return board.report()

    @router.get("/", **sends("text/html"))
    async def show_status() -> Response:
        """Show how each part of the platform does."""
        page = render_page(board.report(), utc_now())
        headers = {"Content-Security-Policy": _POLICY}
        return Response(page, headers=headers, media_type="text/html")

    @router.get("/assets/{name}", include_in_schema=False)
    async def get_asset(name: str) -> Response:
        """Return a style sheet or the icon."""
        if name not in _ASSETS:
            raise NotFoundError(f"There is no file {name[:80]!r} here.", remedy="Check the name.")
        package, kind = _ASSETS[name]
        content = (files(package) / name).read_bytes()
        return Response(content, headers={"Cache-Control": "no-cache"}, media_type=kind)

    return router


def render_page(report: StatusReport, now: datetime) -> str:
    """Return the page; every value in it is escaped."""
    states = {part.state for part in report.parts}
    level = "away" if PartState.AWAY in states else "hindered" if states - {PartState.WORKS} else ""
    planned = report.notices.maintenance
    return _load_template().render(
        report=report, level=level, prefix=STATUS_PREFIX, marks=_MARKS, show=_show_time,
        under_way=planned is not None and planned.begins <= now,
    )  # fmt: skip


@cache
def _load_template() -> Template:
    environment = Environment(
        loader=PackageLoader("skerry.services.status", ""), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("page.html")


def _show_time(moment: datetime) -> Markup:
    minute = moment.astimezone(UTC).replace(second=0, microsecond=0)
    words = f"{minute:%Y-%m-%d %H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(format_time(minute), words)


def main() -> int:
    """Serve until a signal ends the program; return the exit code."""
    return run_program(_start)


def _start() -> None:
    read_variables(PARTS_VARIABLE)
    parts = read_parts()
    notices = parts.pop(_NOTICES, None)
    settings = ServiceSettings.from_environment()
    serve(create_status(settings, StatusBoard(parts, notices)), settings)


if __name__ == "__main__":
    sys.exit(main())
