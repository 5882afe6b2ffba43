"""Filter a product by groups, variables, resolution, area, time and valid pixels.

Everything stays lazy and keeps attributes, packing and grid mapping. Groups that become empty are
removed.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import xarray as xr
from odc.geo.geom import Geometry

from skerry.core.errors import InvalidInputError
from skerry.products.healing.completeness import SELECTION
from skerry.products.selecting.areas import read_area
from skerry.products.selecting.cropping import cut_window, outline_items
from skerry.products.selecting.masking import (
    limit_values,
    mask_by_flags,
    own_dataset,
    refuse_unknown,
)
from skerry.products.selecting.outlining import bound_area, outline_cut
from skerry.products.selecting.windows import (
    Window,
    find_area_windows,
    find_period_windows,
    join_windows,
)

Moment = str | date | datetime | None
"""A time as ISO 8601 text, date or datetime; UTC if it has no offset."""
_DAY_LENGTH = len("2026-05-01")
_RESOLUTION = re.compile(r"r(\d+)m")


def filter_product(
    tree: xr.DataTree,
    *,
    groups: Sequence[str] | None = None,
    variables: Sequence[str] | None = None,
    resolution: str | int | None = None,
    aoi: Any = None,
    aoi_crs: Any = "EPSG:4326",
    time: tuple[Moment, Moment] | None = None,
    valid_range: Mapping[str, tuple[float | None, float | None]] | None = None,
    flags: str | None = None,
    flag_group: str | None = None,
    allow_empty: bool = False,
) -> xr.DataTree:
    """Return a part of a product; parameters without a value filter nothing.

    Parameters
    ----------
    tree
        A product as `open_product` gives it.
    groups
        Paths or patterns with stars (``measurements/*``); groups below a selected group are
        selected too. A text is a single path or pattern.
    variables
        Names, paths or patterns: ``b04``, ``oa*_radiance``, ``quality/*``. Coordinates stay.
    resolution
        20, ``20m`` or ``r20m``: groups of other resolutions are removed, groups without resolution
        stay.
    aoi, aoi_crs
        Area of interest: west, south, east, north, or a geometry, in `aoi_crs`, over poles and
        the antimeridian too. Rasters are cut to the rows and columns from the first to the last
        touched pixel of the coarsest selected raster. Swaths are cut in the same way, widened to
        whole tie points. Sentinel-1 images are cut by their ground control points, in steps of a
        sixteenth of their distance. Angles and weather of Sentinel-2 and tie points of SLSTR
        stay whole, because pixels are interpolated between them. The items of the product and
        its members get the outline of the cut product.
    time
        First and last moment, UTC, each may be None; a last day without a time counts whole. It
        selects along a ``time`` dimension or a swath's rows; other products only must fit it.
    valid_range
        Variable name to lowest and highest valid value; others become NaN.
    flags
        Flag expression; where it is true, floating point measurements become NaN:
        ``cloud_high | cloud_shadow`` masks clouds, ``~water`` everything except water.
    flag_group
        Group that holds the flags, by default that of the product type
        (`skerry.processors.masks.FLAG_SOURCES`). Flags of another resolution are taken from the
        nearest pixel.
    allow_empty
        Whether an area or time off the product gives a valid product without rows and columns.

    Raises
    ------
    InvalidInputError
        If a name matches nothing, the area is not an area or does not touch the product (the
        message names both boxes), the product is not within the time, or the flag expression is
        wrong.
    """
    groups, variables = _list_texts(groups), _list_texts(variables)
    result = _select_groups(tree, groups, resolution)
    masks = {} if flags is None else mask_by_flags(tree, result, flags, flag_group)
    datasets = {node.path: masks.get(node.path, own_dataset(node)) for node in result.subtree}
    if variables is not None:
        datasets = _select_variables(datasets, variables)
    for name, limits in (valid_range or {}).items():
        datasets = limit_values(datasets, name, limits)
    windows: dict[str, Window] = {}
    if time is not None:
        windows = _find_period(tree, time, allow_empty=allow_empty)
    if aoi is not None:
        paths = [path for path, data in datasets.items() if data.data_vars]
        area = _find_area(tree, paths, read_area(aoi, aoi_crs), allow_empty=allow_empty)
        windows = join_windows(windows, area)
    datasets = {path: cut_window(data, windows.get(path, {})) for path, data in datasets.items()}
    full = {path: data for path, data in datasets.items() if data.data_vars}
    if not full:
        raise InvalidInputError(
            f"The filters leave nothing of {tree.name or 'the product'}.",
            remedy="Name groups, and variables that are in these groups.",
        )
    selection = {"groups": groups, "variables": variables, "resolution": resolution}
    return _mark_selection(_assemble(tree, full, windows), selection)


def _mark_selection(result: xr.DataTree, selection: Mapping[str, Any]) -> xr.DataTree:
    """Note in ``other_metadata`` that variables were left out on purpose and are not missing."""
    filters = [name for name, item in selection.items() if item is not None]
    if filters:
        other = result.attrs.get("other_metadata") or {}
        result.attrs["other_metadata"] = {**other, SELECTION: filters}
    return result


def _list_texts(value: Sequence[str] | None) -> Sequence[str] | None:
    """Wrap a string in a list so that its letters are not iterated."""
    return [value] if isinstance(value, str) else value


def _select_groups(
    tree: xr.DataTree, groups: Sequence[str] | None, resolution: str | int | None
) -> xr.DataTree:
    paths = {node.path for node in tree.subtree}
    if groups is not None:
        selection: set[str] = set()
        for group in groups:
            pattern = f"/{group.strip('/')}"
            matches = {item for item in paths if _below(item, pattern)}
            if not matches:
                raise refuse_unknown("group", group, sorted(paths))
            selection |= matches
        paths = selection
    if resolution is not None:
        resolution_name = f"r{str(resolution).removeprefix('r').removesuffix('m')}m"
        resolutions = {
            part for path in tree.groups for part in path.split("/") if _is_resolution(part)
        }
        if resolution_name not in resolutions:
            raise refuse_unknown("resolution", str(resolution), sorted(resolutions))
        paths = {
            path
            for path in paths
            if resolution_name in path.split("/") or not _has_resolution(path)
        }
    return xr.DataTree.from_dict({path: own_dataset(tree[path]) for path in sorted(paths)})


def _below(path: str, pattern: str) -> bool:
    """Return whether a group or one above it matches."""
    parts = path.split("/")
    return any(fnmatchcase("/".join(parts[:end]), pattern) for end in range(1, len(parts) + 1))


def _is_resolution(part: str) -> bool:
    return _RESOLUTION.fullmatch(part) is not None


def _has_resolution(path: str) -> bool:
    return any(_is_resolution(part) for part in path.split("/"))


def _select_variables(
    datasets: dict[str, xr.Dataset], variables: Sequence[str]
) -> dict[str, xr.Dataset]:
    selection: dict[str, set[Any]] = {path: set() for path in datasets}
    for pattern in variables:
        full = f"/{pattern.strip('/')}" if "/" in pattern else f"*/{pattern}"
        matches = [
            (path, name)
            for path, data in datasets.items()
            for name in data.data_vars
            if fnmatchcase(f"{path}/{name}", full)
        ]
        if not matches:
            names = {str(name) for data in datasets.values() for name in data.data_vars}
            raise refuse_unknown("variable", pattern, sorted(names))
        for path, name in matches:
            selection[path].add(name)
    return {
        path: data[[name for name in data.data_vars if name in selection[path]]]
        for path, data in datasets.items()
    }


def _find_period(
    tree: xr.DataTree, time: tuple[Moment, Moment], *, allow_empty: bool
) -> dict[str, Window]:
    first, last = _read_moment(time[0]), _read_last(time[1])
    windows = find_period_windows(tree, first, last)
    if not windows:
        properties = (tree.attrs.get("stac_discovery") or {}).get("properties") or {}
        moment = _read_moment(properties.get("datetime") or properties.get("start_datetime"))
        off = moment is None or not (first is None or moment >= first)
        if off or not (last is None or moment <= last):
            windows = {
                node.path: dict.fromkeys(map(str, node.sizes), slice(0, 0))
                for node in tree.subtree
                if node.data_vars
            }
    if windows and not _has_any(windows) and not allow_empty:
        raise InvalidInputError(
            f"{tree.name or 'The product'} has nothing between {time[0]} and {time[1]}.",
            remedy="Give a time within the product, or allow an empty result.",
        )
    return windows


def _read_moment(value: Moment) -> Any:
    if value is None or value == "":
        return None
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else value.isoformat())
    except (AttributeError, ValueError):
        raise InvalidInputError(
            f"{value!r} is not a time.", remedy="Write it as 2026-05-01T10:00:00Z."
        ) from None
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(moment, "ns")


def _read_last(value: Moment) -> Any:
    """Return the last moment of a period; for a date without a time, the end of the day."""
    moment = _read_moment(value)
    text = value if isinstance(value, str) else ""
    day = len(text) == _DAY_LENGTH or (isinstance(value, date) and not isinstance(value, datetime))
    return moment + np.timedelta64(1, "D") - np.timedelta64(1, "ns") if day else moment


def _has_any(windows: dict[str, Window]) -> bool:
    return any(
        all(part.stop > part.start for part in window.values()) for window in windows.values()
    )


def _find_area(
    tree: xr.DataTree, paths: list[str], area: Geometry, *, allow_empty: bool
) -> dict[str, Window]:
    windows = find_area_windows(tree, area, paths)
    if not windows:
        raise InvalidInputError(
            f"{tree.name or 'The product'} has no grid with coordinates to cut.",
            remedy="Give a product with a raster, a swath or ground control points.",
        )
    if not _has_any(windows) and not allow_empty:
        box = [round(item, 4) for item in bound_area(area)]
        raise InvalidInputError(
            f"The area of interest {box} is outside of {tree.name or 'the product'} "
            f"{_read_bbox(tree)} (west, south, east, north in degrees).",
            remedy="Give an area that touches the product, or allow an empty result.",
        )
    return windows


def _read_bbox(tree: xr.DataTree) -> list[float]:
    """Return the box of a product's item, or else of the first of its groups that has a place."""
    box = (tree.attrs.get("stac_discovery") or {}).get("bbox")
    if not box:
        outlines = (outline_cut(tree, node.path, node.to_dataset(), {}) for node in tree.subtree)
        box = next((outline[1] for outline in outlines if outline is not None), [])
    return [round(float(item), 4) for item in box]


def _assemble(
    tree: xr.DataTree, full: dict[str, xr.Dataset], windows: dict[str, Window]
) -> xr.DataTree:
    result = xr.DataTree.from_dict(full, name=tree.name)
    for node in result.subtree:  # groups in between, which hold only attributes
        if node.path in tree.groups:
            node.attrs = dict(tree[node.path].attrs)
    if windows:
        outline_items(result, tree, windows)
    return result
