"""Composites: for each pixel of a grid, the best of the previous days.

Methods: the most recent valid value; the value of the scene with the best quality there (ties:
the more recent one); the median of valid values, which is no one scene's. Maximum-quality
compositing: B. N. Holben (1986): Characteristics of maximum-value composite images from temporal
AVHRR data. International Journal of Remote Sensing 7 (11), 1417-1434,
doi:10.1080/01431168608948945. Medians: N. Flood (2013): Seasonal composite Landsat TM/ETM+ images
using the medoid. Remote Sensing 5 (12), 6481-6500, doi:10.3390/rs5126481, which compares them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field

from skerry.core.errors import InvalidInputError
from skerry.processors.declarations import Output, ProductInput
from skerry.processors.flags import select_flags
from skerry.processors.grids import check_scenes, fit_to_grid
from skerry.processors.registry import processor
from skerry.processors.selection import as_utc, find_variable, read_moment

Method = Literal["best-quality", "median", "most-recent"]
MEDIAN_ROWS: Final = 64
"""Rows to sort at a time, so that intermediate values stay in the CPU's cache."""
NO_SOURCE: Final = -1
"""Value of `source` where no scene has a valid value, and everywhere in medians."""

_FlagGroup = Annotated[
    str,
    Field(
        description="Group or path of a variable with flags; of rasters of another resolution "
        "the nearest pixels"
    ),
]
_ValidFlags = Annotated[str, Field(description="Flag expression that holds where a pixel is valid")]
_Quality = Annotated[
    str,
    Field(
        description="Path of a variable that is the higher the better, on the same grid or of "
        "another resolution; empty: recency"
    ),
]


@dataclass(frozen=True)
class _Window:
    """The scenes in the period: positions with the latest first, and all names and times."""

    first: date
    last: date
    positions: list[int]
    labels: list[str]
    moments: Sequence[datetime]


@processor(
    name="composite",
    version="1.1.0",
    inputs=[ProductInput("products", "Products of one grid, of several days", many=True)],
    outputs=[
        Output("*", "", "The composite of each variable, units as in the products"),
        Output("count", "1", "Scenes with a valid value in every variable"),
        Output("source", "", "Number of the scene that the values come from, -1 = none"),
    ],
    citation="Holben 1986, doi:10.1080/01431168608948945; Flood 2013, doi:10.3390/rs5126481",
)
def composite_products(
    products: list[xr.DataTree],
    *,
    group: Annotated[str, Field(description="Group that holds the variables")],
    variables: Annotated[
        list[str], Field(description="Names of its variables; empty: all of two dimensions")
    ] = [],  # noqa: B006 -- a notebook-like default; it is never changed
    day: Annotated[
        date | None, Field(description="Last day; empty: the day of the most recent product")
    ] = None,
    days: Annotated[int, Field(ge=1, le=366, description="Days up to and with the last one")] = 3,
    method: Annotated[Method, Field(description="Rule that chooses a pixel's valid value")] = (
        "best-quality"
    ),
    flag_group: _FlagGroup = "",
    valid_flags: _ValidFlags = "",
    quality: _Quality = "",
) -> xr.Dataset:
    """Composite the products of the previous days, pixel by pixel.

    `composite_scenes` says how the value of a pixel is chosen.
    Products of other days are left out. None left, or all cloud, gives a valid empty composite:
    values NaN, count 0, source -1.

    Raises
    ------
    InvalidInputError
        If a product lacks a variable or a time, is given twice, the products lie on different
        grids, or flags or quality do not fit the variables' grid. The message names both grids.
    """
    _refuse_twice(products)
    moments = [read_moment(product) for product in products]
    last = day or max(moments).date()
    scenes, qualities = [], []
    for product in products:
        data = _select_variables(product, group, variables)
        if valid_flags:
            data = _mask_by_flags(product, data, flag_group, valid_flags)
        scenes.append(data)
        if quality:
            qualities.append(find_variable(product, quality))
    return composite_scenes(
        scenes,
        moments,
        last=last,
        days=days,
        method=method,
        qualities=qualities or None,
        names=[str(product.name or f"scene {place}") for place, product in enumerate(products)],
    )


def _refuse_twice(products: Sequence[xr.DataTree]) -> None:
    """Refuse a product that is given twice: it would count twice."""
    identifiers = [(product.attrs.get("stac_discovery") or {}).get("id") for product in products]
    for name in identifiers:
        if name and identifiers.count(name) > 1:
            raise InvalidInputError(
                f"The product {name} is given {identifiers.count(name)} times.",
                remedy="Give each product once.",
            )


def composite_scenes(
    scenes: Sequence[xr.Dataset],
    moments: Sequence[datetime],
    *,
    last: date,
    days: int = 1,
    method: Method = "best-quality",
    qualities: Sequence[xr.DataArray] | None = None,
    names: Sequence[str] | None = None,
) -> xr.Dataset:
    """Composite scenes on one grid over the `days` days that end with `last`.

    Parameters
    ----------
    scenes
        The same variables ``(y, x)`` on the same grid in each, NaN = not valid. Lazy ones stay
        so: each chunk of the result reads that chunk of each scene of the window, and no more.
    moments
        When each scene was taken; without a time zone: in UTC.
    last, days
        The window, by day in UTC.
    method
        ``best-quality``: a pixel's values are of the scene of the highest quality among those
        valid in every variable; ``most-recent``: of the latest of them; ``median``: of each
        variable by itself.
    qualities
        Quality of each scene, the higher the better, NaN = not usable; of rasters of another
        resolution the nearest pixels. Without it the best is the most recent.
    names
        What to call the scenes in the result's ``source``.

    Returns
    -------
    xarray.Dataset
        The variables, float32, ``(time, y, x)`` with one time, the last day; ``count`` (int16):
        scenes valid in every variable; ``source`` (int16): place of the scene in `scenes`, -1
        where there is none or for medians. Without a scene in the window or a valid pixel: NaN,
        0 and -1.

    Raises
    ------
    InvalidInputError
        If there are no scenes, they differ in grid (swaths: in latitude or longitude) or
        variables, or a quality does not fit.
    """
    if not scenes or len(scenes) != len(moments):
        raise InvalidInputError(
            f"There are {len(scenes)} scenes and {len(moments)} times to composite.",
            remedy="Give at least one scene, and a time for each.",
        )
    variables = [str(name) for name in scenes[0].data_vars]
    check_scenes(scenes, variables)
    moments = [as_utc(moment) for moment in moments]
    first = last - timedelta(days=days - 1)
    positions = sorted(
        (place for place, moment in enumerate(moments) if first <= moment.date() <= last),
        key=lambda place: moments[place],
        reverse=True,
    )
    labels = list(names or [f"scene {place}" for place in range(len(scenes))])
    stack = _stack(scenes, positions, variables, qualities)
    merged = _composite(stack, positions, len(variables), method)
    return _describe(
        merged, scenes[0][variables], _Window(first, last, positions, labels, moments), method
    )


def _composite(stack: list[Any], positions: list[int], count: int, method: Method) -> Any:
    """Return ``(variable + 2, y, x)``: the values, the count, the source, chunk by chunk."""

    def merge(*blocks: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        return merge_blocks(blocks, positions, count, method)

    if not isinstance(stack[0], da.Array):
        return merge(*stack)
    together: Any = da  # untyped
    stack = together.core.unify_chunks(*(part for item in stack for part in (item, "yx")))[1]
    return together.map_blocks(
        merge,
        *stack,
        dtype=np.float32,
        new_axis=0,
        chunks=((count + 2,), *stack[0].chunks),
        meta=np.empty((0, 0, 0), np.float32),
    )


def merge_blocks(
    blocks: Sequence[npt.NDArray[Any]], positions: Sequence[int], count: int, method: Method
) -> npt.NDArray[np.float32]:
    """Merge a chunk of scenes.

    Parameters
    ----------
    blocks
        A template of the chunk's shape, then for each scene, latest first, `count` variables and
        its quality (constant 1 x 1 where there is none).
    positions
        The scenes' places.
    """
    shape = blocks[0].shape
    merged = np.full((count + 2, *shape), np.nan, np.float32)
    merged[count], merged[count + 1] = 0, NO_SOURCE
    best = np.full(shape, -np.inf, np.float32)
    step = count + 1
    scenes = [blocks[1 + place * step : 1 + (place + 1) * step] for place in range(len(positions))]
    for place, scene in zip(positions, scenes, strict=True):
        valid = np.logical_and.reduce([np.isfinite(item) for item in scene])
        merged[count] += valid
        if method == "median":
            continue
        better = (
            valid & (best == -np.inf) if method == "most-recent" else valid & (scene[-1] > best)
        )
        for variable in range(count):
            np.copyto(merged[variable], scene[variable], where=better, casting="same_kind")
        np.copyto(best, scene[-1], where=better, casting="same_kind")
        merged[count + 1][better] = place
    if method == "median" and scenes:
        for variable in range(count):
            for start in range(0, shape[0], MEDIAN_ROWS):
                rows = slice(start, start + MEDIAN_ROWS)
                merged[variable][rows] = _median([scene[variable][rows] for scene in scenes])
    return merged


def _median(layers: list[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """Return the median of finite values, NaN where there are none."""
    stack = np.sort(np.stack(layers).astype(np.float32, copy=False), axis=0)  # NaN comes last
    count = np.isfinite(stack).sum(axis=0)
    lower = np.take_along_axis(stack, np.maximum(count - 1, 0)[None] // 2, axis=0)[0]
    upper = np.take_along_axis(stack, np.minimum(count // 2, len(layers) - 1)[None], axis=0)[0]
    return np.where(count > 0, (lower + upper) / 2, np.float32(np.nan))


def _stack(
    scenes: Sequence[xr.Dataset],
    positions: list[int],
    variables: list[str],
    qualities: Sequence[xr.DataArray] | None,
) -> list[Any]:
    dask_array: Any = da  # untyped
    template = scenes[0][variables[0]]
    lazy = any(
        variable.chunks is not None for scene in scenes for variable in scene.data_vars.values()
    )
    shape = template.shape
    layers: list[Any] = [
        da.zeros(shape, dtype="i1", chunks=template.chunks or -1) if lazy else np.zeros(shape, "i1")
    ]
    for place in positions:
        parts = [scenes[place][name] for name in variables]
        if qualities is not None:
            parts.append(_fit_quality(qualities[place], parts[0], place))
        layers += [dask_array.asarray(part.data) if lazy else part.to_numpy() for part in parts]
        if qualities is None:
            layers.append(
                da.zeros(shape, dtype="f4", chunks=layers[0].chunks)
                if lazy
                else np.zeros(shape, "f4")
            )
    return layers


def _describe(merged: Any, like: xr.Dataset, window: _Window, method: Method) -> xr.Dataset:
    template = like[next(iter(like.data_vars))]
    dims = ("time", *template.dims)
    places = sorted(window.positions)
    data = {}
    for place, (name, variable) in enumerate(like.data_vars.items()):
        data[str(name)] = xr.DataArray(merged[place][None], dims=dims, attrs=variable.attrs)
        data[str(name)].attrs["cell_methods"] = (
            f"time: {'median' if method == 'median' else 'point'}"
        )
    data["count"] = xr.DataArray(merged[-2].astype("i2")[None], dims=dims)
    data["count"].attrs = {"long_name": "number of valid scenes", "units": "1"}
    data["source"] = xr.DataArray(merged[-1].astype("i2")[None], dims=dims)
    data["source"].attrs = {
        "long_name": "scene that the values come from",
        "flag_values": [NO_SOURCE, *places],
        "flag_meanings": " ".join(
            ["none", *(window.labels[place].replace(" ", "_") for place in places)]
        ),
    }
    coords = {key: item for key, item in template.coords.items() if "time" not in {key, *item.dims}}
    result = xr.Dataset(data, coords=coords)
    result["time"] = ("time", np.array([np.datetime64(window.last, "ns")]))
    result.attrs = {
        "title": f"composite of {window.first} to {window.last}, {method}",
        "sources": [
            f"{window.labels[place]} {window.moments[place].isoformat()}" for place in places
        ],
    }
    return result


def _select_variables(product: xr.DataTree, group: str, variables: list[str]) -> xr.Dataset:
    path = group.strip("/")
    if f"/{path}" not in product.groups:
        raise InvalidInputError(
            f"{product.name or 'A product'} has no group {group!r}.",
            remedy="Name a group that all products have, such as measurements/reflectance/r20m.",
        )
    data = product[path].to_dataset()
    names = variables or [str(name) for name, item in data.data_vars.items() if item.ndim == 2]  # noqa: PLR2004
    for name in names:
        find_variable(product, f"{path}/{name}")
    return data[names]


def _mask_by_flags(
    product: xr.DataTree, data: xr.Dataset, flag_group: str, valid_flags: str
) -> xr.Dataset:
    is_valid = select_flags(_find_flags(product, flag_group), valid_flags)
    fitted = fit_to_grid(
        is_valid,
        data,
        names=(f"The flags of {flag_group}", "the variables of the product"),
        remedy="Name flags on the variables' grid (flag_group).",
    )
    return data.where(fitted)


def _fit_quality(quality: xr.DataArray, like: xr.DataArray, place: int) -> xr.DataArray:
    names = (f"The numbers of the quality of scene {place}", str(like.name))
    remedy = "Give a quality on the scene's grid: skerry.products.regridding."
    fitted = fit_to_grid(quality, like, names=names, remedy=remedy)
    if set(fitted.dims) != set(like.dims):
        raise InvalidInputError(
            f"{names[0]} {dict(quality.sizes)} do not fit {names[1]} {dict(like.sizes)}.",
            remedy=remedy,
        )
    return fitted.transpose(*like.dims)


def _find_flags(product: xr.DataTree, path: str) -> xr.DataArray | xr.Dataset:
    inner = path.strip("/")
    if inner and f"/{inner}" in product.groups:
        return product[inner].to_dataset()
    return find_variable(product, inner)
