"""Split areas into pieces with flat frames, in which no antimeridian or pole disturbs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from shapely.geometry.base import BaseGeometry

from skerry.products.outlines import densify, make_valid
from skerry.products.swath_blocks import to_degrees, to_vectors

Numbers = npt.NDArray[Any]

_REACH = 2 * np.sin(np.radians(20))
"""Chord of 40 degrees: pieces that meet are far from the antipodes of their frames."""
NOWHERE = (np.inf, np.inf, -np.inf, -np.inf)
"""Bounds without any place in them."""
_DEPTH = 5
"""How often an area is quartered; parts that are still off the Earth are dropped."""


@dataclass(frozen=True)
class Frame:
    """Lambert's azimuthal equal-area projection of the sphere around a place.

    Source: Snyder (1987), Map Projections: A Working Manual, USGS 1395, equations 24-2 to 24-4, as
    products of vectors.

    Attributes
    ----------
    axes
        Unit vectors to the east, the north and up, ``(3, 3)``.
    """

    axes: Numbers

    @classmethod
    def around(cls, centre: Numbers) -> "Frame":
        """Return the frame around the end of a vector."""
        up = centre / np.linalg.norm(centre)
        pole = np.array([0.0, 0.0, 1.0]) if abs(up[2]) < 0.9 else np.array([1.0, 0.0, 0.0])  # noqa: PLR2004
        east = np.cross(pole, up)
        east /= np.linalg.norm(east)
        return cls(np.stack([east, np.cross(up, east), up]))

    def flatten(self, vectors: Numbers) -> tuple[Numbers, Numbers]:
        """Return x and y, in earth radii, of unit vectors ``(..., 3)``; NaN stays NaN."""
        along, across, up = np.moveaxis(vectors @ self.axes.T, -1, 0)
        scale = np.sqrt(2 / np.maximum(1 + up, 1e-12))
        return along * scale, across * scale

    def lift(self, x: Numbers, y: Numbers) -> Numbers:
        """Return the unit vectors ``(..., 3)`` of places in the frame."""
        square = x**2 + y**2
        side = np.sqrt(np.maximum(1 - square / 4, 0))
        return np.asarray(np.stack([x * side, y * side, 1 - square / 2], axis=-1) @ self.axes)


@dataclass(frozen=True)
class Piece:
    """A part of an area, at most 40 degrees from its centre.

    Attributes
    ----------
    area
        The part in the area's own reference system.
    frame
        The frame around its centre.
    shape
        The part in the frame.
    reach
        Greatest chord from the centre to a place in it, in earth radii.
    """

    area: Geometry
    frame: Frame
    shape: BaseGeometry
    reach: float

    @property
    def centre(self) -> Numbers:
        """The unit vector to the frame's centre."""
        return np.asarray(self.frame.axes[2])

    def is_near(self, other: "Piece") -> bool:
        """Tell whether another piece may meet this one."""
        distance = float(np.linalg.norm(self.centre - other.centre))
        return distance <= self.reach + other.reach + 1e-9  # a point's reach is 0

    def intersect(self, other: "Piece") -> BaseGeometry:
        """Return the common area in this piece's frame; empty if the pieces only touch."""

        def move(points: Numbers) -> Numbers:
            return np.stack(self.frame.flatten(other.frame.lift(*points.T)), axis=-1)

        common = shapely.intersection(self.shape, make_valid(shapely.transform(other.shape, move)))
        lowest = min(shapely.get_dimensions([self.shape, other.shape]))
        return common if shapely.get_dimensions(common) >= lowest else shapely.Point()

    def to_degrees(self, shape: BaseGeometry) -> tuple[Numbers, Numbers]:
        """Return longitude and latitude, degrees, of the corners of a shape in the frame."""
        return to_degrees(self.frame.lift(*shapely.get_coordinates(shape).T))


def split_area(area: Geometry, depth: int = 0) -> Iterator[Piece]:
    """Yield an area as one piece, or quartered in its own reference system until pieces fit.

    Parts without a place on Earth in the reference system are left out.
    """
    piece = _flatten(area)
    if piece is not None:
        yield piece
        return
    west, south, east, north = area.boundingbox.bbox
    if depth == _DEPTH or (west == east and south == north):
        return
    x, y = (west + east) / 2, (south + north) / 2
    for left, right in ((west, x), (x, east)):
        for low, high in ((south, y), (y, north)):
            part = shapely.intersection(area.geom, shapely.box(left, low, right, high))
            if not part.is_empty and shapely.get_dimensions(part) == shapely.get_dimensions(
                area.geom
            ):
                yield from split_area(Geometry(part, area.crs), depth + 1)


def bound_common(
    area: Geometry, pieces: Sequence[Piece], grid: GeoBox
) -> tuple[float, float, float, float]:
    """Return west, south, east, north, in a grid's system, of the common ground of area and grid.

    Parameters
    ----------
    area, pieces
        The area, and its pieces.
    grid
        The grid; its longitudes may continue beyond 180 degrees.

    Returns
    -------
    tuple of float
        `NOWHERE` if they have nothing in common or share only an edge or a corner.
    """
    if area.crs == grid.crs:
        turns = (-360.0, 0.0, 360.0) if grid.crs is not None and grid.crs.geographic else (0.0,)
        boxes = [_bound_overlap(area.geom, grid.extent.geom, turn) for turn in turns]
    else:
        boxes = [
            _bound_meeting(own, piece)
            for own in split_area(grid.extent)
            for piece in pieces
            if own.is_near(piece)
        ]
    low, high = np.array([NOWHERE, *boxes]).reshape(-1, 2, 2).transpose(1, 0, 2)
    return (*low.min(axis=0).tolist(), *high.max(axis=0).tolist())


def _bound_overlap(area: BaseGeometry, extent: BaseGeometry, turn: float) -> tuple[float, ...]:
    moved = shapely.transform(area, lambda points: points + np.array([turn, 0.0]))
    common = shapely.intersection(moved, extent)
    if common.is_empty or shapely.get_dimensions(common) < shapely.get_dimensions(area):
        return NOWHERE
    return tuple(common.bounds)


def _bound_meeting(own: Piece, other: Piece) -> tuple[float, ...]:
    """Return the bounds of two pieces' common area, in the first piece's reference system."""
    from pyproj import Transformer

    common = own.intersect(other)
    if common.is_empty:
        return NOWHERE
    turn = Transformer.from_crs("EPSG:4326", str(own.area.crs), always_xy=True)
    x, y = turn.transform(*own.to_degrees(common))
    west, south, east, north = own.area.boundingbox.bbox
    if own.area.crs is not None and own.area.crs.geographic:
        x = x + 360 * np.round(((west + east) / 2 - x) / 360)
    x, y = np.clip(x, west, east), np.clip(y, south, north)
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _flatten(area: Geometry) -> Piece | None:
    """Return an area as a piece, None if it is too large or leaves the Earth."""
    from pyproj import Transformer

    edges = densify(area)
    turn = Transformer.from_crs(str(area.crs), "EPSG:4326", always_xy=True)
    longitude, latitude = turn.transform(*shapely.get_coordinates(edges).T)
    if not (np.isfinite(longitude).all() and (np.abs(latitude) <= 90).all()):  # noqa: PLR2004
        return None
    vectors = to_vectors(latitude, longitude)
    centre = vectors.mean(axis=0)
    if np.linalg.norm(centre) < 0.1:  # noqa: PLR2004 -- all around the Earth
        return None
    frame = Frame.around(centre)
    reach = float(np.linalg.norm(vectors - frame.axes[2], axis=1).max())
    if reach > _REACH:
        return None
    places = np.stack(frame.flatten(vectors), axis=-1)
    shape = make_valid(shapely.set_coordinates(edges, places))
    return None if shape.is_empty else Piece(area, frame, shape, reach)
