"""Locate the lines and pixels of Sentinel-1 images by their ground control points."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr

from skerry.products.selecting.pieces import Piece
from skerry.products.selecting.touching import find_span, find_touched
from skerry.products.swath_blocks import to_vectors

Numbers = npt.NDArray[Any]

_CELLS = 16
"""Cells between two ground control points: 1.25 km where those are 20 km apart."""
_MEASUREMENTS = "measurements"


def find_points(tree: xr.DataTree, path: str) -> xr.Dataset | None:
    """Return the ground control points of a Sentinel-1 image, None for other groups.

    Parameters
    ----------
    tree
        The product.
    path
        Path of the image's group, ``.../measurements``.

    Returns
    -------
    xarray.Dataset or None
        ``latitude`` and ``longitude`` (degrees) over the coordinates ``line`` and ``pixel``, which
        the image has too.
    """
    parent, _, name = path.rpartition("/")
    place = f"{parent}/conditions/gcp"
    if name != _MEASUREMENTS or place not in tree.groups:
        return None
    points, image = (tree[item].to_dataset() for item in (place, path))
    is_complete = {"latitude", "longitude"} <= set(points.data_vars)
    numbered = {"line", "pixel"} <= set(points.coords) & set(image.coords)
    return points if is_complete and numbered else None


def locate(points: xr.Dataset, lines: Numbers, pixels: Numbers) -> Numbers:
    """Return unit vectors ``(..., 3)`` to places of an image, linearly between its points.

    Parameters
    ----------
    points
        The result of `find_points`.
    lines, pixels
        Numbers in the image, of shapes that broadcast. Numbers outside of the points are
        extrapolated from the outermost points.
    """
    vectors = to_vectors(points["latitude"].to_numpy(), points["longitude"].to_numpy())
    shares = []
    for name, targets in (("line", lines), ("pixel", pixels)):
        numbers = np.asarray(points[name], np.float64)
        low = np.clip(np.searchsorted(numbers, targets, "right") - 1, 0, max(len(numbers) - 2, 0))
        high = np.minimum(low + 1, len(numbers) - 1)
        way = np.maximum(numbers[high] - numbers[low], 1)
        shares.append((low, high, ((targets - numbers[low]) / way)[..., None]))
    (top, bottom, down), (left, right, across) = shares
    above = vectors[top, left] * (1 - across) + vectors[top, right] * across
    below = vectors[bottom, left] * (1 - across) + vectors[bottom, right] * across
    place = above * (1 - down) + below * down
    return np.asarray(place / np.linalg.norm(place, axis=-1, keepdims=True))


def find_image_window(
    points: xr.Dataset, image: xr.Dataset, pieces: Sequence[Piece]
) -> dict[str, slice]:
    """Return the lines and pixels of an image that an area touches, in whole cells."""
    edges = [_refine(np.asarray(points[name], np.float64)) for name in ("line", "pixel")]
    lines, pixels = ((edge[1:] + edge[:-1]) / 2 for edge in edges)
    places = locate(points, lines[:, None], pixels[None])
    touched = np.zeros(places.shape[:2], np.bool_)
    for piece in pieces:
        shapely.prepare(piece.shape)
        touched |= find_touched(places, piece, ~touched)
    window = {}
    for axis, name in enumerate(("line", "pixel")):
        numbers = np.asarray(image[name])
        touched_numbers = np.flatnonzero(touched.any(axis=1 - axis))
        inside = np.zeros(numbers.shape, np.bool_)
        if len(touched_numbers):
            inside = (numbers >= edges[axis][touched_numbers[0]]) & (
                numbers <= edges[axis][touched_numbers[-1] + 1]
            )
        window[str(image[name].dims[0])] = find_span(inside)
    return window


def _refine(numbers: Numbers) -> Numbers:
    places = np.arange((len(numbers) - 1) * _CELLS + 1) / _CELLS
    return np.interp(places, np.arange(len(numbers)), numbers)
