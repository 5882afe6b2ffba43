"""Outlines on Earth in GeoJSON's form: cut at the antimeridian, where west is beyond east."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from shapely.geometry import mapping
from shapely.geometry import shape as from_geojson
from shapely.geometry.base import BaseGeometry

from skerry.core.errors import InvalidInputError

DIGITS = 7
"""Decimal digits of a degree: a centimetre."""
_SHARE = 1e-3
"""Largest distance of a simplified outline from the ring, as a share of its height."""
_MOST_DEGREES = 0.01
_THIN_DEGREES = 1e-5
"""Half width, 1 metre, of an outline that would be a line or a point."""
_EDGE_PARTS = 400
"""Share of a box's longest side: edges bend in other systems, by 2 m if it spans 10 degrees."""
Outline = tuple[dict[str, Any], list[float]]
"""Geometry and bounding box, see `cut_outline`."""


def outline_grid(grid: GeoBox) -> Outline:
    """Return the geometry and the bounding box of a raster, as `outline_ring` does."""
    edges = project_area(grid.extent, "EPSG:4326")
    return outline_ring(*shapely.get_coordinates(edges.geom).T)


def cut_area(area: Geometry) -> dict[str, Any]:
    """Return the GeoJSON geometry of polygons in any reference system, cut as RFC 7946 asks.

    Parameters
    ----------
    area
        Polygons, also with holes; longitudes may continue beyond 180 degrees. Corners off the
        Earth are left out.
    """
    whole = []
    for part in shapely.get_parts(project_area(area, "EPSG:4326").geom):
        polygon = _cut_ring(part.exterior)
        for hole in part.interiors:
            polygon = shapely.difference(polygon, _cut_ring(hole))
        whole.append(polygon)
    return _list(mapping(shapely.orient_polygons(shapely.union_all(whole))))  # type: ignore[no-any-return]


def _cut_ring(ring: BaseGeometry) -> BaseGeometry:
    places = shapely.get_coordinates(ring).T
    return from_geojson(outline_ring(*places)[0]) if np.isfinite(places).any() else shapely.Point()


def densify(area: Geometry) -> BaseGeometry:
    """Return an area's shape with its edges in parts, because they bend in other systems."""
    extent = area.boundingbox
    part = max(extent.span_x, extent.span_y) / _EDGE_PARTS
    return shapely.segmentize(area.geom, part) if part > 0 else area.geom


def project_area(area: Geometry, crs: Any) -> Geometry:
    """Return an area in another reference system, its edges in parts.

    Its bounding box is infinite if it is outside of the other system's range.
    """
    from pyproj import Transformer

    project: Any = Transformer.from_crs(str(area.crs), str(crs), always_xy=True).transform
    return Geometry(shapely.transform(densify(area), project, interleaved=False), crs)


def outline_ring(longitude: npt.NDArray[Any], latitude: npt.NDArray[Any]) -> Outline:
    """Return the geometry, with few points, and the bounding box of the area inside a ring.

    Parameters
    ----------
    longitude, latitude
        Degrees, along the ring; neighbouring points are less than half a turn apart. NaN is left
        out, and the last point may be the first. A ring around a pole encloses it.

    Returns
    -------
    dict
        As of `cut_outline`.
    list of float
        As of `cut_outline`.
    """
    shape = unroll_ring(longitude, latitude)
    south, north = shape.bounds[1::2]
    return cut_outline(shape.simplify(min(_SHARE * (north - south), _MOST_DEGREES)))


def bound_geometry(geometry: Mapping[str, Any]) -> list[float]:
    """Return west, south, east, north of a GeoJSON geometry in degrees.

    West is greater than east when the parts meet at the antimeridian (RFC 7946, section 5.2).

    Raises
    ------
    InvalidInputError
        If it is empty.
    """
    footprint = from_geojson(dict(geometry))
    if footprint.is_empty:
        raise InvalidInputError(
            "The product has no valid pixel, so it has no footprint.",
            remedy="Check its masks and its nodata value.",
        )
    west, south, east, north = (float(number) for number in footprint.bounds)
    parts = [item.bounds for item in getattr(footprint, "geoms", [footprint])]
    if (west, east) == (-180.0, 180.0) and not any(part[0] < 0 < part[2] for part in parts):
        west = min(part[0] for part in parts if part[0] >= 0)
        east = max(part[2] for part in parts if part[2] <= 0)
    return [west, south, east, north]


def cut_outline(shape: BaseGeometry) -> Outline:
    """Return the geometry and the bounding box of a shape as `unroll_ring` gives it.

    Returns
    -------
    dict
        A Polygon, or a MultiPolygon of the parts on both sides of the antimeridian (RFC 7946,
        section 3.1.9).
    list of float
        West, south, east, north in degrees; west beyond east across the antimeridian (RFC 7946,
        section 5.2), -180 to 180 around a pole (5.3).
    """
    shape = make_valid(shape)
    west, _, east, _ = shape.bounds
    turns = range(int((west + 180) // 360), int((east + 180) // 360) + 1)
    parts = [part for turn in turns if (part := _cut_turn(shape, turn)).area > 0]
    union = shapely.union_all(parts)
    _, south, _, north = union.bounds
    around = east - west >= 360  # noqa: PLR2004 -- degrees
    box = [-180.0 if around else parts[0].bounds[0], south,
           180.0 if around else parts[-1].bounds[2], north]  # fmt: skip
    return _list(mapping(shapely.orient_polygons(union))), [float(item) for item in box]


def join_outline(geometry: dict[str, Any]) -> list[list[float]]:
    """Return the closed ring of longitude and latitude around an outline, cut or whole.

    Parameters
    ----------
    geometry
        GeoJSON Polygon, or a MultiPolygon of which the outermost ring of the largest part counts,
        after parts that meet at the antimeridian are joined.
    """
    if geometry["type"] == "Polygon":
        return [list(item) for item in geometry["coordinates"][0]]

    def bring(points: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(points + np.array([360.0, 0.0]) * (points[:, :1] < 0))

    parts = shapely.get_parts(shapely.transform(from_geojson(geometry), bring))
    polygons = shapely.get_parts(shapely.union_all(parts).simplify(0))
    ring = shapely.get_coordinates(max(polygons, key=lambda item: float(item.area)).exterior)
    ring[:, 0] = np.where(ring[:, 0] > 180, ring[:, 0] - 360, ring[:, 0])  # noqa: PLR2004
    return [[float(item) for item in np.round(point, DIGITS)] for point in ring]


def _cut_turn(shape: BaseGeometry, turn: int) -> BaseGeometry:
    """Return the part of an outline in one turn around the Earth, moved to -180 to 180."""

    def bring(points: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(np.round(points - np.array([360.0 * turn, 0.0]), DIGITS))

    window = shapely.box(360 * turn - 180, -90, 360 * turn + 180, 90)
    cut = make_valid(shapely.transform(shapely.intersection(shape, window), bring))
    areas = [part for part in shapely.get_parts(cut) if part.area > 0]
    return shapely.union_all(areas)


def make_valid(shape: BaseGeometry) -> BaseGeometry:
    """Return a shape whose rings do not cross themselves; a valid shape is unchanged."""
    if shape.is_valid:
        return shape
    return shapely.make_valid(shape, method="structure", keep_collapsed=False)


def unroll_ring(longitude: npt.NDArray[Any], latitude: npt.NDArray[Any]) -> BaseGeometry:
    """Return the area inside a ring; its longitudes continue beyond 180 degrees."""
    finite = np.isfinite(longitude) & np.isfinite(latitude)
    x, y = longitude[finite], latitude[finite]
    x, y = np.append(x, x[0]), np.append(y, y[0])
    x = np.unwrap(x, period=360)
    if abs(x[-1] - x[0]) > 180:  # noqa: PLR2004 -- around a pole
        pole = np.copysign(90.0, y.mean())
        x, y = np.append(x, [x[-1], x[0]]), np.append(y, [pole, pole])
    points = np.stack([x, y], axis=1)
    shape = make_valid(shapely.Polygon(points)) if len(points) > 3 else shapely.Point()  # noqa: PLR2004
    if shape.area > _THIN_DEGREES**2:
        return shape
    hull: BaseGeometry = shapely.MultiPoint(points).convex_hull
    return hull.buffer(_THIN_DEGREES, quad_segs=1)


def _list(value: Any) -> Any:
    """Return a geometry as JSON has it: lists, no tuples."""
    if isinstance(value, dict):
        return {key: _list(item) for key, item in value.items()}
    return [_list(item) for item in value] if isinstance(value, list | tuple) else value
