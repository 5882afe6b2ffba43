"""Checks of geometry: coordinates, transforms, bounds, systems and footprint agree."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from skerry.validation.rasters import (
    AFFINE,
    Raster,
    crs_statements,
    every_raster,
    grid_mappings,
    list_rasters,
    measured_rasters,
    same_crs,
)
from skerry.validation.registry import check
from skerry.validation.subject import ArrayFacts, Subject, is_number

UNEVEN = 0.1
"""How far, in pixels, a coordinate may differ from an even spacing."""
MARGIN = 0.1
"""How far a STAC bbox may reach past the data, as a fraction of the data's extent."""
NARROW = 100.0
"""How many times wider than a STAC bbox the data may be: a bbox may leave out empty parts."""
FOOTPRINT_SAMPLES = 21
"""How many points along each edge of a raster are converted to degrees."""


def _saying(*keys: str) -> Any:
    def look(subject: Subject) -> Iterator[tuple[str, tuple[Raster, Any]]]:
        for raster in list_rasters(subject):
            for place, _, value in raster.statements(*keys):
                yield place, (raster, value)
        yield from ()

    return look


def _transforms(subject: Subject) -> Iterator[tuple[str, tuple[Raster, Any]]]:
    """Give transforms, and the GeoTransform of grid mappings, which GDAL and rioxarray prefer."""
    yield from _saying("proj:transform", "spatial:transform")(subject)
    for raster in list_rasters(subject):
        for place, mapping in grid_mappings(raster, subject):
            if "GeoTransform" in mapping:
                yield place, (raster, _order_as_affine(mapping["GeoTransform"]))


def _order_as_affine(text: Any) -> Any:
    """Return GDAL's left, step, shear, top, shear, step in the order of an affine transform."""
    try:
        c, a, b, f, d, e = (float(part) for part in str(text).split())
    except ValueError:
        return text
    return [a, b, c, d, e, f]


def _with_systems(subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
    for raster in list_rasters(subject):
        statements = crs_statements(raster, subject)
        if statements:
            yield raster.group, statements


def _families(subject: Subject) -> Iterator[tuple[str, list[Raster]]]:
    """Give sibling rasters of the same data in several resolutions: r10m, r20m, r60m."""
    families: dict[str, list[Raster]] = {}
    for raster in list_rasters(subject):
        parent, _, name = raster.group.rpartition("/")
        if name.startswith("r") and name.endswith("m") and name[1:-1].isdigit():
            families.setdefault(parent, []).append(raster)
    yield from ((parent, siblings) for parent, siblings in families.items() if len(siblings) > 1)


def _placed_boxes(subject: Subject) -> Iterator[tuple[str, list[Any]]]:
    box = (subject.discovery or {}).get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(is_number(item) for item in box):  # noqa: PLR2004
        return
    if _geographic_box(subject) is not None:
        yield "stac_discovery/bbox", box


def _places(subject: Subject) -> Iterator[tuple[str, ArrayFacts]]:
    for path, item in subject.arrays.items():
        if item.name in {"latitude", "longitude"} and item.dtype.kind in "iuf" and item.shape:
            yield path, item


@check(
    "geometry.spacing",
    of=every_raster,
    remedy="Store pixel centres as float64; resample the raster if it is not regular.",
)
def centres_are_even(raster: Raster, _: Subject) -> str | None:
    """Coordinates of rasters are evenly spaced pixel centres."""
    for axis, centres in (("x", raster.x), ("y", raster.y)):
        if not np.isfinite(centres).all():
            return f"has {axis} coordinates that are not finite"
        if len(centres) < 2:  # noqa: PLR2004 -- no spacing
            continue
        even = np.linspace(centres[0], centres[-1], len(centres))
        step = abs(float(even[1] - even[0]))
        off = float(np.abs(centres - even).max())
        if step == 0 or off > UNEVEN * step:
            return f"has {axis} coordinates off an even spacing by up to {off:g} (step {step:g})"
    return None


@check(
    "geometry.system",
    of=measured_rasters,
    remedy="Add a grid mapping (CF 5.6) or proj:code.",
)
def system_is_named(raster: Raster, subject: Subject) -> str | None:
    """Every raster of measurements names its coordinate reference system itself."""
    statements = crs_statements(raster, subject)
    own = [item for item in statements if not item.endswith("stac_discovery")]
    return None if own else "names no coordinate reference system"


@check(
    "geometry.systems-agree",
    of=_with_systems,
    remedy="Write one system in every place: proj:code, grid mapping, STAC.",
)
def systems_agree(statements: dict[str, Any], _: Subject) -> str | None:
    """All places that name a raster's coordinate reference system name the same system."""
    broken = [
        f"{place} is none ({item})" for place, item in statements.items() if isinstance(item, str)
    ]
    if broken:
        return broken[0]
    (first, reference), *others = statements.items()
    for place, item in others:
        if not same_crs(reference, item):
            return f"{first} names {_short(reference)}, {place} names {_short(item)}"
    return None


def _short(crs: Any) -> str:
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.name)


@check(
    "geometry.transform",
    of=_transforms,
    remedy="Write [step x, 0, left, 0, -step y, top] at pixel edges.",
)
def transform_agrees(statement: tuple[Raster, Any], _: Subject) -> str | None:
    """Transforms give the same pixel centres as the coordinates."""
    raster, numbers = statement
    if not isinstance(numbers, list) or len(numbers) < AFFINE or not all(map(is_number, numbers)):
        return f"has the transform {numbers!r}"
    a, b, c, d, e, f = (float(number) for number in numbers[:AFFINE])
    columns, rows = np.meshgrid(
        *(np.array([0, len(item) - 1]) + 0.5 for item in (raster.x, raster.y))
    )
    x, y = np.meshgrid(raster.x[[0, -1]], raster.y[[0, -1]])
    off = max(
        float(np.abs(a * columns + b * rows + c - x).max()),
        float(np.abs(d * columns + e * rows + f - y).max()),
    )
    if off <= max(raster.tolerance, 0.1 * abs(a)):
        return None
    return (
        f"has the transform {numbers[:AFFINE]}, {off:g} off the coordinates, which begin at "
        f"{raster.x[0]:.10g}, {raster.y[0]:.10g}"
    )


@check(
    "geometry.bounds",
    of=_saying("proj:bbox", "spatial:bbox"),
    remedy="Write [left, bottom, right, top] at pixel edges.",
)
def bounds_agree(statement: tuple[Raster, Any], _: Subject) -> str | None:
    """Bounds are the outer edges of the outermost pixels."""
    raster, numbers = statement
    if not isinstance(numbers, list) or len(numbers) != 4 or not all(map(is_number, numbers)):  # noqa: PLR2004
        return f"has the bounds {numbers!r}"
    off = float(np.abs(np.array(numbers, float) - np.array(raster.box)).max())
    if off <= raster.tolerance or 0.0 in raster.steps:
        return None
    edges = ", ".join(f"{item:.10g}" for item in raster.box)
    return f"has the bounds {numbers}, but the coordinates give [{edges}]"


@check(
    "geometry.shape",
    of=_saying("proj:shape", "spatial:shape"),
    remedy="Write [rows, columns].",
)
def shape_agrees(statement: tuple[Raster, Any], _: Subject) -> str | None:
    """Shapes are the numbers of rows and columns."""
    raster, numbers = statement
    there = [len(raster.y), len(raster.x)]
    return None if list(numbers) == there else f"has the shape {numbers}, there are {there}"


@check(
    "geometry.resolutions",
    of=_families,
    remedy="Cut all resolutions to one box of whole coarse pixels.",
)
def resolutions_agree(rasters: list[Raster], _: Subject) -> str | None:
    """All resolutions of a product cover the same box, to less than a pixel of the coarsest."""
    coarsest = max(rasters, key=lambda item: abs(item.steps[0]))
    for raster in rasters:
        off = float(np.abs(np.array(raster.box) - np.array(coarsest.box)).max())
        if off >= abs(coarsest.steps[0]) and 0.0 not in coarsest.steps:
            return f"{raster.group} covers {raster.box}, {coarsest.group} covers {coarsest.box}"
    return None


@check(
    "geometry.degrees",
    of=_places,
    remedy="Give latitudes from -90 to 90 and longitudes from -180 to 180 degrees.",
)
def degrees_are_on_earth(array: ArrayFacts, _: Subject) -> str | None:
    """Latitudes and longitudes are on the Earth (first and last row)."""
    index: Any = ([0, -1],) if len(array.shape) > 1 else ...
    raw = np.asarray(array.read(np.s_[:1] if index is not ... else ...), np.float64)
    if index is not ...:
        raw = np.concatenate([raw, np.asarray(array.read(np.s_[-1:]), np.float64)])
    values = _unpack_degrees(raw, array)
    values = values[np.isfinite(values)]
    limit = 90.0 if array.name == "latitude" else 180.0
    if values.size and float(np.abs(values).max()) > limit + 1e-6:
        return f"goes from {values.min():g} to {values.max():g}"
    return None


@check(
    "geometry.footprint",
    of=_placed_boxes,
    remedy="Write the bbox of the data as [west, south, east, north] in degrees.",
)
def footprint_is_where_data_are(box: list[Any], subject: Subject) -> str | None:
    """The STAC bbox covers the same place as the data."""
    data = _geographic_box(subject)
    if data is None:
        return None
    # The check stac.bbox reports a reversed bbox; this check judges only the place.
    crosses = data[0] < 180 < data[2]  # noqa: PLR2004 -- then west is beyond east
    if box[0] > box[2] and not crosses:
        box = [box[2], box[1], box[0], box[3]]
    west, south, east, north = (float(item) for item in box)
    if west > east:  # across the antimeridian
        east += 360.0
    margins = [max(MARGIN * (data[2] - data[0]), 0.01), max(MARGIN * (data[3] - data[1]), 0.01)]
    narrow = max(
        (data[2] - data[0]) / max(east - west, 1e-12),
        (data[3] - data[1]) / max(north - south, 1e-12),
    )
    # Longitudes of the data may be counted from 0 to 360, or be of the whole Earth.
    beside = data[2] - data[0] >= 360 - margins[0] or any(
        west + turn >= data[0] - margins[0] and east + turn <= data[2] + margins[0]
        for turn in (-360, 0, 360)
    )
    below = south >= data[1] - margins[1] and north <= data[3] + margins[1]
    if narrow < NARROW and beside and below:
        return None
    numbers = ", ".join(f"{item:.4f}" for item in data)
    return f"is {box}, but the data cover [{numbers}]"


def _measured_places(subject: Subject) -> Iterator[npt.NDArray[np.float64]]:
    """Give longitudes and latitudes of the first and last rows and columns of swaths."""
    for group, arrays in subject.by_group.items():
        both = [arrays.get(name) for name in ("longitude", "latitude")]
        measured = "measurements" in group.split("/") and "orphan" not in group
        if not measured or not all(item is not None and len(item.shape) == 2 for item in both):  # noqa: PLR2004
            continue
        edges = [_read_edges(item) for item in both if item is not None]
        finite = np.isfinite(edges[0]) & np.isfinite(edges[1])
        if finite.any():
            yield np.array([edge[finite] for edge in edges])


def _read_edges(array: ArrayFacts) -> npt.NDArray[np.float64]:
    """Return the values along the edges of an array, unpacked, NaN for no data."""
    parts = [np.s_[:1, :], np.s_[-1:, :], np.s_[:, :1], np.s_[:, -1:]]
    raw = np.concatenate([np.asarray(array.read(part), np.float64).reshape(-1) for part in parts])
    return _unpack_degrees(raw, array)


def _unpack_degrees(raw: npt.NDArray[np.float64], array: ArrayFacts) -> npt.NDArray[np.float64]:
    """Return latitudes or longitudes of stored numbers, NaN for no data."""
    fill = array.missing_number if array.missing_number is not None else array.fill_value
    gap = is_number(fill) and (array.dtype.kind in "iu" or abs(float(fill)) > 360)  # noqa: PLR2004
    values = np.where(raw == float(fill), np.nan, raw) if gap else raw
    return values * float(array.attrs.get("scale_factor", 1.0)) if array.packed else values


def _geographic_box(subject: Subject) -> tuple[float, float, float, float] | None:
    """Return west, south, east, north of measured rasters and swaths, or None if none is placed.

    East is past 180 where the data cross the antimeridian.
    """
    from pyproj import Transformer

    corners = list(_measured_places(subject))
    for _, raster in measured_rasters(subject):
        statements = crs_statements(raster, subject)
        systems = [item for item in statements.values() if not isinstance(item, str)]
        if (
            not systems
            or systems_agree(statements, subject)
            or not np.isfinite([*raster.x, *raster.y]).all()
        ):
            continue
        left, bottom, right, top = raster.box
        x, y = (
            np.linspace(left, right, FOOTPRINT_SAMPLES),
            np.linspace(bottom, top, FOOTPRINT_SAMPLES),
        )
        edges = np.concatenate([
            [x, np.full_like(x, bottom)], [x, np.full_like(x, top)],
            [np.full_like(y, left), y], [np.full_like(y, right), y],
        ], axis=1)  # fmt: skip
        turn = Transformer.from_crs(systems[0], "EPSG:4326", always_xy=True)
        corners.append(np.array(turn.transform(edges[0], edges[1])))
    if not corners:
        return None
    longitudes, latitudes = np.concatenate(corners, axis=1)
    if not np.isfinite([longitudes, latitudes]).all():
        return None
    if longitudes.max() - longitudes.min() > 180:  # noqa: PLR2004 -- across the antimeridian
        longitudes = np.where(longitudes < 0, longitudes + 360, longitudes)
    return (
        float(longitudes.min()), float(latitudes.min()),
        float(longitudes.max()), float(latitudes.max()),
    )  # fmt: skip
