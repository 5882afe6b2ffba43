"""A Leaflet map inside a Panel page without any content network.

ipywidgets' loader fetches the JavaScript of ipyleaflet from an address of ours, which serves the
files of the installed wheel. The style sheets of icon fonts that Panel and ipywidgets would fetch
are left out: nothing here uses them.
"""

import math
import sys
from pathlib import Path
from typing import Any

import ipyleaflet
import panel as pn
import tornado.web
from panel.io.ipywidget import IPyWidget as WidgetModel

from skerry.core.settings import DASHBOARDS_PREFIX, MAPS_PREFIX
from skerry.maps.sources import ATTRIBUTION

pn.extension("ipywidgets", inline=True)
pn.config.css_files = []
WidgetModel.__css__ = []

_MAP_WIDTH, _MAP_HEIGHT = 800, 620
_LARGEST_MAP = 10_000
_TILE = 256
_MAX_LATITUDE = 85.0511


class LocalWidget(pn.pane.IPyWidget):  # type: ignore[misc]
    """Pane of an ipywidget that loads its modules from this program."""

    def _get_ipywidget(self, *args: Any, **options: Any) -> Any:
        model = super()._get_ipywidget(*args, **options)
        model.cdn = f"{DASHBOARDS_PREFIX}/widgets"
        return model


class WidgetFiles(tornado.web.RequestHandler):
    """Serves the public JavaScript of installed ipywidgets, and no other file of the machine."""

    ROOT = Path(sys.prefix) / "share" / "jupyter" / "nbextensions"
    TYPES = {".js": "text/javascript", ".png": "image/png", ".svg": "image/svg+xml"}  # noqa: RUF012

    def get(self, package: str, name: str) -> None:
        """Answer with one file of one package; the loader leaves out the ending ``.js``."""
        root = self.ROOT.resolve()
        path = (root / package / name).resolve()
        if path.suffix not in self.TYPES:
            path = path.with_name(f"{path.name}.js")
        if root not in path.parents or not path.is_file():
            raise tornado.web.HTTPError(404)
        self.set_header("Content-Type", self.TYPES[path.suffix])
        self.finish(path.read_bytes())


def make_map() -> ipyleaflet.Map:
    """Return a map of the world on the platform's own base map."""
    world = ipyleaflet.TileLayer(
        url=f"{MAPS_PREFIX}/basemap/{{z}}/{{x}}/{{y}}.png",
        name="Base map",
        base=True,
        attribution=ATTRIBUTION,
        no_wrap=True,
    )
    leaflet = ipyleaflet.Map(
        center=(30, 10), zoom=2, layers=(world,), scroll_wheel_zoom=True, attribution_control=False
    )
    leaflet.add(ipyleaflet.AttributionControl(position="bottomright", prefix=""))
    leaflet.add(ipyleaflet.ScaleControl(position="bottomleft", imperial=False))
    leaflet.layout.height = f"{_MAP_HEIGHT}px"
    return leaflet


def make_layer(
    tiles: str, bbox: tuple[float, float, float, float], *, query: str = "", **options: Any
) -> Any:
    """Return the layer of one variable, with tiles only where the product is.

    Parameters
    ----------
    tiles
        The tiles' address without ``/{z}/{x}/{y}.png``.
    bbox
        West, south, east, north in degrees.
    query
        The query of the tiles: empty, or beginning with a question mark.
    """
    west, south, east, north = bbox
    return ipyleaflet.TileLayer(
        url=f"{tiles}/{{z}}/{{x}}/{{y}}.png{query}",
        bounds=((south, west), (north, east)),
        no_wrap=True,
        **options,
    )


def show_whole(leaflet: ipyleaflet.Map, bbox: tuple[float, float, float, float]) -> None:
    """Centre the map on a product, at the nearest zoom that shows all of it."""
    west, south, east, north = bbox
    leaflet.center = ((south + north) / 2, (west + east) / 2)
    width, height = leaflet.right - leaflet.left, leaflet.bottom - leaflet.top
    if not 0 < width <= _LARGEST_MAP:  # no browser has shown it yet
        width, height = _MAP_WIDTH, _MAP_HEIGHT
    leaflet.zoom = fit_zoom(bbox, width=width, height=height)


def fit_zoom(
    bbox: tuple[float, float, float, float],
    *,
    width: float = _MAP_WIDTH,
    height: float = _MAP_HEIGHT,
) -> int:
    """Return the highest zoom level at which `bbox` fits into a map.

    Parameters
    ----------
    bbox
        West, south, east, north in degrees.
    width, height
        The map's size in pixels.
    """
    west, south, east, north = bbox
    across = max((east - west) / 360, 1e-9) * _TILE
    down = max(_project(south) - _project(north), 1e-9) * _TILE
    zoom = math.floor(math.log2(min(width / across, height / down)))
    return max(1, min(zoom, 18))


def _project(latitude: float) -> float:
    """Return the Web Mercator row of a latitude, 0 at the top and 1 at the bottom."""
    clipped = math.radians(max(-_MAX_LATITUDE, min(_MAX_LATITUDE, latitude)))
    return (1 - math.asinh(math.tan(clipped)) / math.pi) / 2
