"""Panel's files for notebooks, as an extension of Jupyter's server in place of Panel's own.

Panel's own also runs any notebook or program that an address names
(``panel-preview/render//projects/lakes/app.py``), so a link, or a page on another person's host,
would run a colleague's file as whoever follows it. And it imports any module that an address names,
for anybody. Here is only what hvplot and Panel need in a notebook: files of installed packages.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bokeh.settings import settings
from jupyter_server.utils import url_path_join
from tornado.web import HTTPError, StaticFileHandler

_ENDPOINT_VARIABLE = "PANEL_JUPYTER_ENDPOINT"
"""Tells Panel in the kernels that its files are here."""


class PackageFilesHandler(StaticFileHandler):
    """Serves ``<package>/<file>`` of the folder ``dist`` of a package that is installed."""

    async def get(self, path: str, include_body: bool = True) -> None:
        """Answer with a file."""
        name, _, file = path.partition("/")
        folder = find_files(name)
        if folder is None:
            raise HTTPError(404)
        self.root = str(folder)
        await super().get(file, include_body)


def find_files(package: str) -> Path | None:
    """Return the folder with a package's files for browsers; None if it has none.

    Nothing is imported, and packages of the home folder are none of these: nobody else may read it.
    """
    module = package.replace("-", "_")
    spec = find_spec(module) if module.isidentifier() else None
    places = (spec.submodule_search_locations if spec is not None else None) or []
    found = [Path(place).resolve() / "dist" for place in places]
    installed = Path(sys.prefix).resolve()
    return next((dist for dist in found if dist.is_relative_to(installed) and dist.is_dir()), None)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "skerry.hub.panel_files"}]


def _load_jupyter_server_extension(server: Any) -> None:
    base = server.web_app.settings["base_url"]
    files = url_path_join(base, "panel-preview", "static")
    of_panel = url_path_join(base, "panel_dist", "(.*)")
    server.web_app.add_handlers(
        ".*$",
        [
            (url_path_join(files, "extensions", "(.*)"), PackageFilesHandler, {"path": ""}),
            (url_path_join(files, "(.*)"), StaticFileHandler, {"path": settings.bokehjs_path()}),
            (of_panel, StaticFileHandler, {"path": str(find_files("panel"))}),
        ],
    )
    os.environ[_ENDPOINT_VARIABLE] = "1"
