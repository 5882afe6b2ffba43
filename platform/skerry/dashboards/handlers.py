"""Our own handlers, and the audience of every handler of this program."""

import asyncio
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from tornado.web import HTTPError, RequestHandler

from skerry.core.errors import NotFoundError, SkerryError
from skerry.core.scopes import Scope
from skerry.dashboards.exporting import export_apart
from skerry.dashboards.templating import answer_error
from skerry.dashboards.viewer import ViewerHandler

ANYONE = "anyone"
VIEWER = "viewer"

_ASSET_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_ASSET_FOLDERS = (files("skerry.dashboards") / "assets", files("skerry.core.look"))
_CHUNK = 1 << 20


class HealthHandler(RequestHandler):
    """`/health`: shows whether this program answers."""

    def get(self) -> None:
        """Answer everybody."""
        self.finish({"ready": True})


class WrongAddressHandler(RequestHandler):
    """Every address without another handler."""

    application: Any

    async def prepare(self) -> None:
        """Answer that there is no such page, in the look of the other pages."""
        with suppress(HTTPError):  # a hub that does not answer: the page is for nobody then
            await self.application.auth_provider.ask_hub(self)
        answer_error(
            self,
            NotFoundError(
                f"There is no page {self.request.path[:140]!r} here.",
                remedy="The links above lead to the existing pages.",
            ),
        )


class AssetHandler(RequestHandler):
    """`/assets/...`: our own style sheets, script and icon."""

    def get(self, name: str) -> None:
        """Answer with a file of the package."""
        kind = _ASSET_TYPES.get(Path(name).suffix)
        places = (folder / name for folder in _ASSET_FOLDERS)
        asset = next((place for place in places if place.is_file()), None)
        if kind is None or asset is None:
            raise HTTPError(404)
        self.set_header("Content-Type", kind)
        self.set_header("Cache-Control", "no-cache")
        self.finish(asset.read_bytes())


class ExportHandler(ViewerHandler):
    """`/export/<collection>/<item>/<variable>.tif`: one variable as a COG, for the viewer."""

    def initialize(self, inside_url: str) -> None:
        """Take the platform's address from here, where the api is."""
        self._inside_url = inside_url
        self._work: asyncio.Task[None] | None = None

    async def get(self, collection: str, item: str, variable: str) -> None:
        """Let another process write the COG to a temporary file, and stream it."""
        with tempfile.TemporaryDirectory(prefix="skerry-export-") as folder:
            target = Path(folder) / "export.tif"
            self._work = asyncio.ensure_future(
                export_apart(
                    f"{collection}/{item}", variable, target,
                    login=self.viewer.log_in(self._inside_url),
                )
            )  # fmt: skip
            try:
                await self._work
            except SkerryError as error:
                answer_error(self, error)
                return
            except asyncio.CancelledError:
                return  # nobody is there to be answered
            self.set_header(
                "Content-Type", "image/tiff; application=geotiff; profile=cloud-optimized"
            )
            self.set_header("Content-Length", str(target.stat().st_size))
            self.set_header("Content-Disposition", f'attachment; filename="{item}_{variable}.tif"')
            with target.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    self.write(chunk)
                    await self.flush()

    def on_connection_close(self) -> None:
        """End the work when the viewer has gone."""
        super().on_connection_close()
        if self._work is not None:
            self._work.cancel()


@dataclass(frozen=True)
class Handler:
    """One address of this program and its audience.

    Attributes
    ----------
    pattern
        The regular expression of its path, from the platform's root.
    kind
        ``page``, ``websocket``, ``static`` or ``route``.
    audience
        `ANYONE`: no data behind it. `VIEWER`: a login that may use the dashboards.
    scope
        The scope that the viewer's token needs to see more than a refusal; the api checks it on
        every call.
    example
        A path that this handler answers.
    name
        The class that answers.
    """

    pattern: str
    kind: str
    audience: str
    scope: Scope | None
    example: str
    name: str


def describe_handlers(rules: list[Any], prefix: str) -> list[Handler]:
    """Return every handler with its audience.

    Parameters
    ----------
    rules
        Tornado's routing rules.
    prefix
        The program's path without a trailing slash.

    Raises
    ------
    LookupError
        If a handler has no audience: the program does not start then.
    """
    return [
        _describe(rule.matcher.regex.pattern.rstrip("$"), rule.target, prefix) for rule in rules
    ]


# path below the prefix -> kind, audience, scope, example
# see platform/decisions/0006-dashboards-doors.md
_DECIDED: dict[str, tuple[str, str, Scope | None, str]] = {
    "/health": ("route", ANYONE, None, "/health"),
    "/ready": ("route", ANYONE, None, "/ready"),
    "/metrics": ("route", VIEWER, Scope.PLATFORM_MEASURE, "/metrics"),
    "/oauth_callback": ("route", ANYONE, None, "/oauth_callback"),
    "/login": ("route", VIEWER, None, "/login"),
    r"/assets/([\w.-]+)": ("static", ANYONE, None, "/assets/page.css"),
    r"/widgets/([\w-]+)@[^/]+/dist/([\w./-]+)": (
        "static", ANYONE, None, "/widgets/jupyter-leaflet@1/dist/index"),
    r"/export/([^/]+)/([^/]+)/([^/]+)\.tif": (
        "route", VIEWER, Scope.CATALOG_READ, "/export/c/i/v.tif"),
    "/?": ("page", VIEWER, None, "/"),
    "/ws": ("websocket", VIEWER, None, "/ws"),
    "/runs/?": ("page", VIEWER, Scope.PRODUCTION_READ, "/runs"),
    "/runs/ws": ("websocket", VIEWER, Scope.PRODUCTION_READ, "/runs/ws"),
    "/run/?": ("page", VIEWER, Scope.PRODUCTION_READ, "/run"),
    "/run/ws": ("websocket", VIEWER, Scope.PRODUCTION_READ, "/run/ws"),
    "/map/?": ("page", VIEWER, Scope.CATALOG_READ, "/map"),
    "/map/ws": ("websocket", VIEWER, Scope.CATALOG_READ, "/map/ws"),
    # the api shows each viewer their own budgets
    "/budgets/?": ("page", VIEWER, None, "/budgets"),
    "/budgets/ws": ("websocket", VIEWER, None, "/budgets/ws"),
    # the api shows each viewer their own projects and those to ask for, and lets owners decide
    "/projects/?": ("page", VIEWER, None, "/projects"),
    "/projects/ws": ("websocket", VIEWER, None, "/projects/ws"),
    # Bokeh's and Panel's published JavaScript and styles, as everybody can get them elsewhere
    "/static/(?!extensions/)(.*)": ("static", ANYONE, None, "/static/js/bokeh.min.js"),
    "/static/(.*)": ("static", ANYONE, None, "/static/js/bokeh.min.js"),
    "/runs/static/(.*)": ("static", ANYONE, None, "/runs/static/js/bokeh.min.js"),
    "/run/static/(.*)": ("static", ANYONE, None, "/run/static/js/bokeh.min.js"),
    "/map/static/(.*)": ("static", ANYONE, None, "/map/static/js/bokeh.min.js"),
    "/budgets/static/(.*)": ("static", ANYONE, None, "/budgets/static/js/bokeh.min.js"),
    "/projects/static/(.*)": ("static", ANYONE, None, "/projects/static/js/bokeh.min.js"),
    "/static/extensions/(.*)": ("static", ANYONE, None, "/static/extensions/panel/panel.min.js"),
}  # fmt: skip


def _describe(pattern: str, target: Any, prefix: str) -> Handler:
    if pattern == "/favicon.ico":  # outside the prefix: the proxy sends no request for it here
        return Handler(pattern, "static", ANYONE, None, pattern, target.__name__)
    decided = _DECIDED.get(pattern.removeprefix(prefix))
    if decided is None:
        raise LookupError(f"Whom {pattern} ({target.__name__}) is for has not been decided.")
    kind, audience, scope, example = decided
    return Handler(pattern, kind, audience, scope, prefix + example, target.__name__)


def read_handlers(server: Any) -> list[Handler]:
    """Return the handlers of a server, see `describe_handlers`."""
    application = server._tornado  # noqa: SLF001 - Bokeh offers no other way to its router
    return describe_handlers(application.wildcard_router.rules, application.prefix)
