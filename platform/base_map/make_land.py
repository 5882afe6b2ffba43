"""Make the file of the world's land that the base map draws.

Usage: ``python platform/base_map/make_land.py map.geo.json``, where ``map.geo.json`` comes from
the npm package ``@geo-maps/earth-seas-10m`` 0.6.0 (``npm pack``, then unpack). The same input
gives the same file. Source and licence: ``platform/skerry/maps/data/SOURCES.md``.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from skerry.maps.land_file import (
    ALL_LAND,
    CELL_UNITS,
    DETAILS,
    Detail,
    Ring,
    make_key,
    pack_cell,
    write_land,
)
from skerry.maps.mercator import EARTH_HALF, project

TARGET = Path(__file__).parents[1] / "skerry/maps/data/land.bin"
SOURCE_SHA256 = "16e416ed0c6b56ae7505baac46c27ff0ea5d374a51c6fa23375c3d89cbcbd0d3"
TOLERANCE_PIXELS = 0.4  # how far simplifying moves the coast at the deepest zoom of a detail
SMALLEST_PIXELS = 0.5  # area; smaller islands and bays are left out
MARGIN_UNITS = 32
WHOLE_EARTH = 2 * EARTH_HALF
AREA = 2
Cell = tuple[int, int, int]
Shapes = NDArray[Any]


def main(source: Path) -> None:
    """Write the file of land and say how large it is."""
    content = source.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != SOURCE_SHA256:
        sys.exit(f"{source} has the SHA-256 digest {digest}, not that of the named package.")
    zooms = {detail.cells: number for number, detail in enumerate(DETAILS)}
    cells: dict[int, bytes] = {}
    seas, islands = read_shapes(json.loads(content))
    for cell, sea, land in split(seas, islands, (0, 0, 0), max(zooms)):
        if cell[0] in zooms:
            rings = list_rings(sea, land, cell, DETAILS[zooms[cell[0]]])
            if rings:
                cells[make_key(zooms[cell[0]], cell[1], cell[2])] = pack_cell(rings)
    write_land(TARGET, cells)
    print(f"{TARGET}: {len(cells)} cells, {TARGET.stat().st_size} bytes")


def read_shapes(document: dict[str, Any]) -> tuple[Shapes, Shapes]:
    """Return the seas without their holes, and the holes: islands, in web mercator metres."""
    seas, islands = [], []
    for geometry in document["geometries"]:
        for outer, *holes in geometry["coordinates"]:
            seas.append(to_polygon(outer))
            islands += [to_polygon(hole) for hole in holes]
    return np.array(seas), np.array(islands)


def to_polygon(degrees: list[list[float]]) -> Any:
    """Return a ring as a polygon in metres."""
    longitude, latitude = np.array(degrees, np.float64).T
    return shapely.Polygon(project(longitude, latitude))


def split(
    seas: Shapes, islands: Shapes, cell: Cell, deepest: int
) -> Iterator[tuple[Cell, Shapes, Shapes]]:
    """Yield a square and the shapes in it, then its quarters, down to those of `deepest`."""
    yield cell, seas, islands
    zoom = cell[0] + 1
    if zoom > deepest:
        return
    if not seas.size:  # all land, to the deepest cell
        yield from ((inner, seas, islands) for inner in list_inner(cell, deepest))
        return
    for inner in list_inner(cell, zoom):
        west, north, unit = locate(inner)
        side, margin = unit * CELL_UNITS, unit * MARGIN_UNITS
        box = (west - margin, north - side - margin, west + side + margin, north + margin)
        yield from split(clip(seas, box), clip(islands, box), inner, deepest)


def clip(shapes: Shapes, box: tuple[float, float, float, float]) -> Shapes:
    """Return what of the shapes lies in a box."""
    if not shapes.size:
        return shapes
    west, south, east, north = shapely.bounds(shapes).T
    near = (east > box[0]) & (west < box[2]) & (north > box[1]) & (south < box[3])
    parts = shapely.get_parts(shapely.clip_by_rect(shapes[near], *box))
    return parts[shapely.get_dimensions(parts) == AREA]


def list_inner(cell: Cell, deepest: int) -> Iterator[Cell]:
    """Yield the cells below one, zoom by zoom."""
    z, x, y = cell
    for zoom in range(z + 1, deepest + 1):
        count = 2 ** (zoom - z)
        for row in range(y * count, (y + 1) * count):
            for column in range(x * count, (x + 1) * count):
                yield zoom, column, row


def locate(cell: Cell) -> tuple[float, float, float]:
    """Return the west and north edges of a cell in metres, and the length of its unit."""
    z, x, y = cell
    side = WHOLE_EARTH / 2**z
    return -EARTH_HALF + x * side, EARTH_HALF - y * side, side / CELL_UNITS


def list_rings(seas: Shapes, islands: Shapes, cell: Cell, detail: Detail) -> tuple[Ring, ...]:
    """Return the land of a cell, simplified for a detail: what is not sea, and islands in it."""
    west, north, unit = locate(cell)
    pixel = CELL_UNITS / 256 / 2 ** (detail.deepest - detail.cells)

    def simplify(shapes: Shapes) -> Shapes:
        local = shapely.transform(shapes, lambda points: (points - (west, north)) / (unit, -unit))
        simple = shapely.simplify(local, TOLERANCE_PIXELS * pixel, preserve_topology=False)
        return shapely.make_valid(simple)

    low, high = -MARGIN_UNITS, CELL_UNITS + MARGIN_UNITS
    box = shapely.box(low, low, high, high)
    land = shapely.difference(box, shapely.union_all(simplify(seas)))
    if land.equals(box):
        return ALL_LAND
    rings = []
    for polygon in shapely.get_parts([land, *simplify(islands)]):
        parts = [polygon] if polygon.geom_type == "Polygon" else []
        for at, ring in enumerate(
            ring for part in parts for ring in (part.exterior, *part.interiors)
        ):
            if shapely.Polygon(ring).area < SMALLEST_PIXELS * pixel**2:
                if at:
                    continue
                break
            points = np.round(shapely.get_coordinates(ring)[:-1]).astype(np.int16)
            rings.append(Ring(points, is_hole=at > 0))
    return tuple(rings)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
