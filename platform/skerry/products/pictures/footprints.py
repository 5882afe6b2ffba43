"""The footprint of a product: the outline of its valid data."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from shapely import get_num_coordinates
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from skerry.core.errors import InvalidInputError
from skerry.products.grids import grid_of, list_rasters
from skerry.products.outlines import cut_area

SAMPLE_EDGE = 512
"""Longest side, in cells, of the mask whose outline is traced."""
MOST_POINTS = 400
"""Largest number of points of a footprint."""


def footprint(product: xr.DataTree | xr.Dataset) -> dict[str, Any]:
    """Return the outline of a product's valid data.

    A cell counts when any of its pixels is valid. The outline is simplified to within one cell,
    and if it still has more than `MOST_POINTS` points (scattered gaps), gaps and parts are merged
    until it has fewer.

    Parameters
    ----------
    product
        A tree as `open_product` gives it: the first variable of the measurements' group with the
        fewest pixels counts. Or one dataset ``(y, x)``: all of its variables count.

    Returns
    -------
    dict
        GeoJSON Polygon or MultiPolygon in longitude, latitude (EPSG:4326), cut at the
        antimeridian.

    Raises
    ------
    InvalidInputError
        If there is no raster, or not one valid pixel.
    """
    from rasterio.features import shapes

    data = _choose_dataset(product)
    grid = grid_of(data)
    if grid is None:
        raise InvalidInputError(
            "The product has no georeferenced raster to outline.",
            remedy="Give dimensions y and x and dataset.rio.write_crs('EPSG:...').",
        )
    valid, coarse = _sample(data, grid)
    if not valid.any():
        raise InvalidInputError(
            "The product has no valid pixel, so it has no footprint.",
            remedy="Check the masks and the area of interest.",
        )
    parts = [shape(item) for item, _ in shapes(valid, mask=valid > 0, transform=coarse.affine)]
    outline = _clip(_simplify(unary_union(parts), abs(coarse.affine.a)), grid)
    return cut_area(Geometry(outline, grid.crs))


def _choose_dataset(product: xr.DataTree | xr.Dataset) -> xr.Dataset:
    if isinstance(product, xr.Dataset):
        return product
    rasters = list_rasters(product)
    if not rasters:
        return xr.Dataset()
    data = min(
        (item for _, item in rasters), key=lambda item: int(item.sizes["y"] * item.sizes["x"])
    )
    return data[[next(iter(data.data_vars))]]


def _sample(data: xr.Dataset, grid: GeoBox) -> tuple[npt.NDArray[np.uint8], GeoBox]:
    """Return which cells of a coarser grid hold a valid pixel of any variable."""
    factor = max(1, -(-max(grid.shape) // SAMPLE_EDGE))
    valid: Any = None
    for variable in data.data_vars.values():
        if variable.dims[-2:] != ("y", "x"):
            continue
        own = variable.notnull() if variable.dtype.kind == "f" else variable != 0
        leading = [dim for dim in own.dims if dim not in {"y", "x"}]
        own = own.any(leading) if leading else own
        valid = own if valid is None else valid | own
    cells = valid.drop_vars(list(valid.coords)).coarsen(y=factor, x=factor, boundary="pad")
    mask = np.asarray((cells.max().to_numpy() > 0), np.uint8)
    affine = grid.affine
    scaled = type(affine)(
        affine.a * factor, affine.b, affine.c, affine.d, affine.e * factor, affine.f
    )
    return mask, GeoBox(mask.shape, scaled, grid.crs)


def _simplify(outline: BaseGeometry, step: float) -> BaseGeometry:
    """Merge parts that lie close, at twice the distance each time, until few points are left."""
    simple = outline.simplify(step)
    distance = step
    while get_num_coordinates(simple) > MOST_POINTS:
        simple = outline.buffer(distance, join_style="mitre").buffer(-distance, join_style="mitre")
        simple = simple.simplify(distance)
        distance *= 2
    return simple


def _clip(outline: BaseGeometry, grid: GeoBox) -> BaseGeometry:
    """Cut the outline to the raster: padded cells reach past it."""
    from shapely.geometry import box

    edges = grid.boundingbox
    return outline.intersection(box(edges.left, edges.bottom, edges.right, edges.top))
