"""Bring some variables of a swath to one grid for maps, by the places of its pixels.

A product type's mapping file says which variables, and the edge of a pixel. The grid is that of the
UTM zone of the swath's middle, near a pole that of the polar stereographic projection: both have
an EPSG code, and neither breaks at the antimeridian.
"""

import math
from collections.abc import Iterable
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.geom import BoundingBox

from skerry.core.errors import InvalidInputError
from skerry.products.regridding import regrid_swath
from skerry.products.selecting.outlining import outline_cut
from skerry.products.selecting.radar import find_points, locate
from skerry.products.sensors.mapping import fill_names
from skerry.products.sensors.records import Mapping, MapRaster
from skerry.products.swath_blocks import to_degrees

_MOST_UTM_DEGREES = 84.0
_BLOCK = 512
_SOME = 64
"""How many places along each side of the swath define the grid's extent."""


def rasterize_swath(tree: xr.DataTree, mapping: Mapping) -> xr.DataTree:
    """Return lazy rasters of a swath for maps: a group for each grid, variables ``(y, x)``.

    Each pixel of the map has the value of the swath's nearest pixel, packed as it was; nothing is
    interpolated, so that flags and gaps stay what they are. Where the mapping says so, the mean of
    some lines and pixels comes first.

    Parameters
    ----------
    tree
        The product, as `skerry.products.open_product` gives it.
    mapping
        Of its type.

    Raises
    ------
    InvalidInputError
        If the product has none of the variables, or no place.
    """
    groups: dict[str, xr.Dataset] = {}
    for item in mapping.catalogue.maps:
        swath = _collect(tree, mapping, item)
        if swath is None:
            continue
        target = choose_grid(swath["latitude"], swath["longitude"], item.resolution_m)
        name = item.group.rpartition("/")[2]
        groups[name] = regrid_swath(swath, target, method="nearest", chunk=_BLOCK)
    if not groups:
        known_groups = ", ".join(item.group for item in mapping.catalogue.maps) or "no group"
        raise InvalidInputError(
            f"{tree.name or 'The product'} has nothing that a map can draw: {known_groups}.",
            remedy="Fetch the product with its measurements and geolocation.",
        )
    attrs = {key: tree.attrs[key] for key in ("title", "other_metadata") if key in tree.attrs}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), **groups})


def outline_swath(tree: xr.DataTree, mapping: Mapping) -> dict[str, Any] | None:
    """Return the outline of a swath's pixels as GeoJSON, None if the swath has no places.

    It is cut at the antimeridian and encloses a pole that lies inside (RFC 7946, section 3.1.9).
    """
    for item in mapping.catalogue.maps:
        for path, _ in _list_groups(tree, mapping, item):
            outline = outline_cut(tree, path, tree[path].to_dataset(), {})
            if outline is not None:
                return outline[0]
    return None


def choose_grid(latitude: xr.DataArray, longitude: xr.DataArray, resolution_m: float) -> GeoBox:
    """Return the grid around a swath, its edges at whole pixels from the projection's origin.

    Raises
    ------
    InvalidInputError
        If no pixel has a place.
    """
    from pyproj import Transformer

    some = {
        dim: np.unique(np.linspace(0, size - 1, min(size, _SOME)).round().astype(int))
        for dim, size in latitude.sizes.items()
    }
    places = [np.asarray(item.isel(some), np.float64).ravel() for item in (longitude, latitude)]
    finite = np.isfinite(places[0]) & np.isfinite(places[1])
    if not finite.any():
        raise InvalidInputError(
            "No pixel of the swath has latitude and longitude.", remedy="Fetch the product again."
        )
    x, y = (item[finite] for item in places)
    crs = name_system(x[len(x) // 2], y[len(y) // 2])
    to_grid = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    across, along = to_grid.transform(x, y)
    edges = []
    for numbers in (across, along):
        reached = numbers[np.isfinite(numbers)]
        edges.append(math.floor(reached.min() / resolution_m - 1) * resolution_m)
        edges.append(math.ceil(reached.max() / resolution_m + 1) * resolution_m)
    left, right, bottom, top = edges
    return GeoBox.from_bbox(
        BoundingBox(left, bottom, right, top, crs=crs), resolution=resolution_m, tight=True
    )


def name_system(longitude: float, latitude: float) -> str:
    """Return the EPSG code of the projection for the surroundings of a place, degrees."""
    if latitude > _MOST_UTM_DEGREES:
        return "EPSG:5041"
    if latitude < -_MOST_UTM_DEGREES:
        return "EPSG:5042"
    zone = min(int((longitude + 180) // 6) + 1, 60)
    return f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}"


def _collect(tree: xr.DataTree, mapping: Mapping, item: MapRaster) -> xr.Dataset | None:
    """Return the variables of a map raster with the places of their pixels, None without any."""
    arrays: dict[str, xr.DataArray] = {}
    places: dict[str, xr.DataArray] = {}
    for path, variables in _list_groups(tree, mapping, item):
        data = tree[path].to_dataset()
        present = {name: data[source] for name, source in variables.items() if source in data}
        if not present:
            continue
        points = find_points(tree, path)
        if points is not None:
            present, here = _average(data, present, points, item.average)
        elif {"latitude", "longitude"} <= set(data.variables) and data["latitude"].ndim == 2:  # noqa: PLR2004
            here = {name: data[name] for name in ("latitude", "longitude")}
        else:
            continue
        places = places or {key: array.drop_vars(array.coords) for key, array in here.items()}
        for name, array in present.items():
            if array.shape == places["latitude"].shape:
                # a copy, because the product itself keeps its attributes
                arrays[name] = array.drop_vars(array.coords).copy(deep=False)
                arrays[name].attrs |= _describe_range(item, name)
                if mapping.members is not None:  # otherwise all members would share a title
                    title = array.attrs.get("long_name", name)
                    arrays[name].attrs["long_name"] = f"{name.upper()}: {title}"
    return xr.Dataset(arrays).assign_coords(places) if arrays else None


def _describe_range(item: MapRaster, name: str) -> dict[str, float]:
    limits = item.shown.get(name)
    return {} if limits is None else dict(zip(("display_min", "display_max"), limits, strict=True))


def _list_groups(
    tree: xr.DataTree, mapping: Mapping, item: MapRaster
) -> Iterable[tuple[str, dict[str, str]]]:
    """Give the group paths of a map raster that the product has, and the variables in each."""
    names = [""] if mapping.members is None else mapping.members.find_in(map(str, tree.children))
    for name in names:
        member = {"member": name, "code": name.rpartition("_")[2].lower()}
        path = f"/{fill_names(item.group, member)}"
        if path in tree.groups:
            yield path, fill_names(item.variables, member)


def _average(
    data: xr.Dataset, arrays: dict[str, xr.DataArray], points: xr.Dataset, count: int
) -> tuple[dict[str, xr.DataArray], dict[str, xr.DataArray]]:
    """Return means of `count` lines and pixels, and their places by the ground control points."""
    down, across = next(iter(arrays.values())).dims
    windows = {dim: max(1, min(count, data.sizes[dim])) for dim in (down, across)}
    numbers = {
        name: data[name].astype(np.float64).drop_vars(data[name].coords)
        for name in ("line", "pixel")
    }
    middles = {
        name: array.coarsen({array.dims[0]: windows[array.dims[0]]}, boundary="trim").mean()
        for name, array in numbers.items()
    }
    means = {}
    for name, array in arrays.items():
        bare = array.drop_vars(array.coords).astype(np.float32)
        bare = bare.where(array.drop_vars(array.coords) != 0)  # 0 means that no echo was measured
        mean: Any = bare.coarsen(windows, boundary="trim").mean()
        means[name] = mean
        # means spread less than single numbers: maps compute the range again
        attrs = {key: item for key, item in array.attrs.items() if not key.startswith("display_m")}
        means[name].attrs = attrs
        means[name].encoding = {"dtype": "uint16", "_FillValue": 0}
    shape = tuple(item.size for item in middles.values())
    lines, pixels = (
        da.broadcast_to(da.from_array(middles[name].to_numpy()[index], chunks=_BLOCK), shape)  # type: ignore[no-untyped-call]
        for name, index in (("line", (slice(None), None)), ("pixel", (None, slice(None))))
    )

    def place(line: Any, pixel: Any, which: int) -> Any:
        return to_degrees(locate(points, line, pixel))[which]

    here = {
        name: xr.DataArray(
            da.map_blocks(place, lines, pixels, which, dtype=np.float64),  # type: ignore[no-untyped-call]
            dims=(down, across),
        )
        for which, name in enumerate(("longitude", "latitude"))
    }
    return means, here
