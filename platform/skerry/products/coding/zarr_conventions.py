"""Write and read the attributes of the Zarr conventions that make a GeoZarr.

They are ``multiscales``, ``spatial`` and ``proj``. Bounds are at pixel edges (registration
``pixel``). Sources: zarr-conventions/multiscales v1, zarr-conventions/spatial v0.1 and
zarr-conventions/geo-proj v1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from affine import Affine
from odc.geo.geobox import GeoBox

from skerry.products.coding.json_values import set_apart

MULTISCALES: Final = {
    "uuid": "d35379db-88df-4056-af3a-620245f8e347",
    "name": "multiscales",
    "schema_url": "https://raw.githubusercontent.com/zarr-conventions/multiscales/refs/tags/v1/schema.json",
    "spec_url": "https://github.com/zarr-conventions/multiscales/blob/v1/README.md",
    "description": "Multiscale layout of zarr datasets",
}
SPATIAL: Final = {
    "uuid": "689b58e2-cf7b-45e0-9fff-9cfc0883d6b4",
    "name": "spatial",
    "schema_url": "https://raw.githubusercontent.com/zarr-conventions/spatial/refs/tags/v0.1/schema.json",
    "spec_url": "https://github.com/zarr-conventions/spatial/blob/v0.1/README.md",
    "description": "Spatial coordinate information",
}
PROJ: Final = {
    "uuid": "f17cb550-5864-4468-aeb7-f3180cfb622f",
    "name": "proj:",
    "schema_url": "https://raw.githubusercontent.com/zarr-experimental/geo-proj/refs/tags/v1/schema.json",
    "spec_url": "https://github.com/zarr-experimental/geo-proj/blob/v1/README.md",
    "description": "Coordinate reference system information for geospatial data",
}
GROUP_KEYS: Final = ("zarr_conventions", "multiscales")
GROUP_PREFIXES: Final = ("spatial:", "proj:")
_COEFFICIENTS = 6
REGISTRATION: Final = "spatial:registration"
GENERAL: Final = ("proj:code", "proj:wkt2", REGISTRATION)
"""What a multiscale group may say for all its levels."""
PIXEL: Final = "pixel"
NODE: Final = "node"
_TRANSFORM = "spatial:transform"


@dataclass(frozen=True)
class LayoutLevel:
    """A level as its multiscale group describes it.

    Attributes
    ----------
    asset
        Name of the level's group.
    attributes
        Everything that the layout says about the level.
    """

    asset: str
    attributes: Mapping[str, Any]


def read_layout(attributes: Mapping[str, Any]) -> list[LayoutLevel]:
    """Return the levels that a multiscale group lists, in its order.

    Returns
    -------
    list of LayoutLevel
        Empty if the group is not a multiscale group, or other conventions use the same key.
    """
    multiscales = attributes.get("multiscales")
    layout = multiscales.get("layout") if isinstance(multiscales, Mapping) else None
    return [
        LayoutLevel(str(entry["asset"]), entry)
        for entry in (layout if isinstance(layout, list) else [])
        if isinstance(entry, Mapping) and "asset" in entry
    ]


def read_transform(*places: Mapping[str, Any], registration: str = PIXEL) -> Affine | None:
    """Return the transform of pixel edges, from the first of `places` that has a transform.

    If ``spatial:registration`` is that of nodes, the nodes are the pixels' centres. `registration`
    is the default if no place has ``spatial:registration``.

    Raises
    ------
    ValueError
        If it is not six numbers.
    """
    stated = next((place[_TRANSFORM] for place in places if _TRANSFORM in place), None)
    if stated is None:
        return None
    kinds = (place[REGISTRATION] for place in places if REGISTRATION in place)
    half = 0.5 if next(kinds, registration) == NODE else 0.0
    if not isinstance(stated, list | tuple) or len(stated) < _COEFFICIENTS:
        raise ValueError(f"{_TRANSFORM} is {stated!r}, not six numbers")
    transform = Affine(*(float(number) for number in stated[:_COEFFICIENTS]))
    return transform @ Affine.translation(-half, -half) if half else transform


def read_crs(*places: Mapping[str, Any]) -> str | None:
    """Return the reference system, ``EPSG:32632`` or WKT, from the first place that names it."""
    for place in places:
        text = place.get("proj:code") or place.get("proj:wkt2")
        if text:
            return str(text)
    return None


def describe_multiscale(levels: list[GeoBox]) -> dict[str, Any]:
    """Return the attributes of a multiscale group whose levels are named 0, 1, 2, ...

    Parameters
    ----------
    levels
        The levels' grids, finest first, each with half the resolution of the level before.
    """
    layout = []
    for number, grid in enumerate(levels):
        entry: dict[str, Any] = {"asset": str(number)}
        if number:
            entry["derived_from"] = str(number - 1)
        factor = 2.0 if number else 1.0
        entry["transform"] = {"scale": [factor, factor], "translation": [0.0, 0.0]}
        entry |= _describe_grid(grid)
        layout.append(entry)
    return {
        "zarr_conventions": [MULTISCALES, SPATIAL, PROJ],
        "multiscales": {"layout": layout, "resampling_method": "average"},
        "spatial:dimensions": ["y", "x"],
        REGISTRATION: PIXEL,
        **_describe_grid(levels[0]),
        **_describe_crs(levels[0]),
    }


def describe_level(grid: GeoBox) -> dict[str, Any]:
    """Return the attributes of a level's group."""
    return {
        "zarr_conventions": [SPATIAL, PROJ],
        "spatial:dimensions": ["y", "x"],
        REGISTRATION: PIXEL,
        **_describe_grid(grid),
        **_describe_crs(grid),
    }


def without_conventions(attrs: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that do not belong to the conventions."""
    return {
        key: value
        for key, value in attrs.items()
        if key not in GROUP_KEYS and not key.startswith(GROUP_PREFIXES)
    }


def _describe_grid(grid: GeoBox) -> dict[str, Any]:
    box = grid.boundingbox
    return {
        "spatial:transform": [float(item) for item in grid.affine[:6]],
        "spatial:shape": [int(grid.shape.y), int(grid.shape.x)],
        "spatial:bbox": [box.left, box.bottom, box.right, box.top],
    }


def _describe_crs(grid: GeoBox) -> dict[str, Any]:
    crs = grid.crs
    if crs is not None and crs.authority[0]:
        return {"proj:code": ":".join(map(str, crs.authority))}
    return {"proj:wkt2": "" if crs is None else crs.proj.to_wkt()}


def set_apart_group(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a group's attributes; names by which readers recognise GeoZarr are set apart."""
    return set_apart(attrs, GROUP_KEYS, GROUP_PREFIXES)
