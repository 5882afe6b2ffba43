"""Panel's files for notebooks, as an extension of Jupyter's server in place of Panel's own.

Panel's own also runs any notebook or program that an address names
(``panel-preview/render//projects/lakes/app.py``), so a link, or a page on another person's host,
would run a colleague's file as whoever follows it. And it imports any module that an address names,
for anybody. Here is only what hvplot and Panel need in a notebook: files of installed packages.
"""

import os
import sys
from pathlib import Path
from typing import Any

from bokeh.embed.bundle import extension_dirs
from bokeh.server.views.multi_root_static_handler import MultiRootStaticHandler
from bokeh.server.views.static_handler import StaticHandler
from jupyter_server.utils import url_path_join
from panel.io.jupyter_server_extension import find_extension_dist
from panel.io.resources import DIST_DIR, JUPYTER_ENDPOINT_ENV
from tornado.web import HTTPError, StaticFileHandler


class PackageFilesHandler(MultiRootStaticHandler):  # type: ignore[misc]
    """Serves the folder ``dist`` of a package that is installed; never one of the home folder."""

    @classmethod
    def get_absolute_path(cls, root: Any, path: str) -> str:
        """Return the path of a file; the first part of an address names the package."""
        name = path.partition("/")[0]
        if name not in root:
            found = find_extension_dist(name)
            if found is None or not _is_installed(found):
                raise HTTPError(404)
            root[name] = found
        absolute: str = super().get_absolute_path(root, path)
        return absolute


def _is_installed(folder: Path) -> bool:
    return folder.resolve().is_relative_to(Path(sys.prefix).resolve())


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "skerry.hub.panel_files"}]


def _load_jupyter_server_extension(server: Any) -> None:
    base = server.web_app.settings["base_url"]
    files = url_path_join(base, "panel-preview", "static")
    roots = {"root": extension_dirs}
    server.web_app.add_handlers(
        ".*$",
        [
            (url_path_join(files, "extensions", "(.*)"), PackageFilesHandler, roots),
            (url_path_join(files, "(.*)"), StaticHandler),
            (url_path_join(base, "panel_dist", "(.*)"), StaticFileHandler, {"path": DIST_DIR}),
        ],
    )
    os.environ[JUPYTER_ENDPOINT_ENV] = "1"  # kernels ask for the files here
