"""TileJSON 3.0.0: the description of a layer for a map client.

Source: TileJSON specification 3.0.0 (Mapbox, CC BY 3.0); names with ``skerry:`` are our own.
"""

import math

from skerry.maps.colour import Style
from skerry.maps.legend import describe_units
from skerry.maps.mercator import EARTH_HALF
from skerry.maps.warp import MAX_ZOOM, TILE_SIZE
from skerry.models.layers import LayerStyle, TileJson
from skerry.services.layers import Layer


def describe_tiles(layer: Layer, style: Style, address: str, query: str) -> TileJson:
    """Return the TileJSON of a raster layer.

    Parameters
    ----------
    style
        The layer, with the style of its tiles.
    address
        The address below which tiles and legend are.
    query
        The query of tiles and legend: empty, or beginning with a question mark.

    Notes
    -----
    TileJSON has no bounds across the antimeridian: such a layer's bounds go around the Earth.
    """
    pyramid = layer.open()
    west, south, east, north = pyramid.geographic_bounds
    middle = (west + east) / 2 if west <= east else (west + east + 360) / 2
    zoom = _find_native_zoom(south, north, pyramid.levels[0].height)
    return TileJson.model_validate(
        {
            "name": layer.title,
            "description": f"{layer.label}, {describe_units(layer.units)}",
            "attribution": layer.attribution,
            "tiles": [f"{address}/{{z}}/{{x}}/{{y}}.png{query}"],
            "legend": f"{address}/legend.png{query}",
            "bounds": (west, south, east, north) if west <= east else (-180.0, south, 180.0, north),
            "center": ((middle + 180) % 360 - 180, (south + north) / 2, max(zoom - 3, 0)),
            "minzoom": 0,
            "maxzoom": min(zoom + 2, MAX_ZOOM),
            "skerry:label": layer.label,
            "skerry:units": layer.units,
            "skerry:simulated": layer.simulated,
            "skerry:style": LayerStyle(
                min=style.minimum,
                max=style.maximum,
                colormap=style.colormap,
                classes=bool(style.categories),
            ),
        }
    )


def _find_native_zoom(south: float, north: float, rows: int) -> int:
    """Return the zoom at which a pixel of a tile is about one cell."""
    low, high = (
        math.asinh(math.tan(math.radians(max(-85.0, min(85.0, edge))))) for edge in (south, north)
    )
    cell = (high - low) / math.pi * EARTH_HALF / rows
    zoom = math.log2(2 * EARTH_HALF / TILE_SIZE / max(cell, 1e-3))
    return int(min(max(round(zoom), 0), MAX_ZOOM))
