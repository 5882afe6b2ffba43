"""Wounds of real products, healed at opening and reported.

Each wound has a name, which reports begin with; `skerry validate` finds the same ones.
"""

from typing import Any, Final

import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.core.time import find_middle

WOUNDS: Final = {
    "bbox": "the bounding box is not west, south, east, north",
    "datetime": "the item has no datetime, only start and end",
    "grid-mapping": "a raster has no grid mapping, only proj attributes",
    "proj-code": "the reference system stands in proj:epsg, not in proj:code",
    "attribute-names": "an attribute has the name of an older or newer profile",
}
_BOX = 4


class Wounds:
    """What was healed, told once a wound and kind.

    Attributes
    ----------
    found
        Wound name to what was found, in words.
    """

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}

    def add(self, name: str, words: str) -> None:
        """Note a wound."""
        self.found.setdefault(name, []).append(words)

    def describe(self) -> list[str]:
        """Return a line for each wound: its name, the first place, how many there are."""
        lines = []
        for name, places in self.found.items():
            more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
            lines.append(f"{name}: {places[0]}{more}")
        return lines


def heal_item(item: dict[str, Any], wounds: Wounds) -> dict[str, Any]:
    """Return a STAC item with bounding box, datetime and proj:code as the standard has them."""
    healed = dict(item)
    properties = dict(item.get("properties") or {})
    box = item.get("bbox")
    if isinstance(box, list) and len(box) == _BOX and is_reversed(box, item.get("geometry")):
        healed["bbox"] = [*sorted((box[0], box[2])), *sorted((box[1], box[3]))]
        healed["bbox"] = [
            healed["bbox"][0],
            healed["bbox"][2],
            healed["bbox"][1],
            healed["bbox"][3],
        ]
        wounds.add("bbox", f"{box} became {healed['bbox']}")
    start = properties.get("start_datetime") or properties.get("end_datetime")
    absent = properties.get("datetime") in (None, "", "null")
    if "properties" in item and absent and start is not None:
        properties["datetime"] = _choose_moment(start, properties.get("end_datetime"))
        wounds.add("datetime", f"it became {properties['datetime']}")
    code = properties.get("proj:epsg")
    if code is not None and "proj:code" not in properties:
        del properties["proj:epsg"]
        properties["proj:code"] = f"EPSG:{code}"
        wounds.add("proj-code", f"proj:epsg {code} became proj:code EPSG:{code}")
    if "properties" in item:
        healed["properties"] = properties
    return healed


def _choose_moment(start: Any, end: Any) -> Any:
    """Return the middle, as real Sentinel-1 items have it; the start where an end is no time."""
    if end in (None, start):
        return start
    try:
        return find_middle(str(start), str(end))
    except InvalidInputError:
        return start


def is_reversed(box: list[float], geometry: Any) -> bool:
    """Tell whether a bounding box is not west, south, east, north.

    West of east over the antimeridian is right as long as the outline is there too.
    """
    west, south, east, north = box
    if south > north:
        return True
    if west <= east:
        return False
    longitudes = list(_list_longitudes((geometry or {}).get("coordinates")))
    return not longitudes or max(longitudes) - min(longitudes) < 180  # noqa: PLR2004 -- half round


def _list_longitudes(coordinates: Any) -> Any:
    if isinstance(coordinates, list) and coordinates:
        if isinstance(coordinates[0], int | float):
            yield coordinates[0]
        else:
            for one in coordinates:
                yield from _list_longitudes(one)


def heal_grid(
    data: xr.Dataset, projections: dict[str, dict[str, Any]], path: str, wounds: Wounds
) -> xr.Dataset:
    """Give a group of rasters the grid mapping that its variables' proj attributes name.

    Parameters
    ----------
    data
        The group.
    projections
        Variable name to its ``proj:`` attributes.
    path
        The group's path, for what is reported.
    wounds
        Told what was healed.
    """
    if "spatial_ref" in data.variables or not {"x", "y"} <= set(data.coords):
        return data
    codes = {code for one in projections.values() if (code := _find_code(one)) is not None}
    if len(codes) != 1:
        return data
    code = codes.pop()
    from odc.geo.xr import assign_crs

    healed: xr.Dataset = assign_crs(data, code, crs_coord_name="spatial_ref")
    for one in healed.data_vars.values():
        one.attrs.pop("grid_mapping", None)
        if {"y", "x"} <= set(one.dims):
            one.encoding["grid_mapping"] = "spatial_ref"
    wounds.add("grid-mapping", f"{path} is in {code if len(code) < 20 else code[:20]}")  # noqa: PLR2004
    return healed


def _find_code(attrs: dict[str, Any]) -> str | None:
    if attrs.get("proj:code"):
        return str(attrs["proj:code"])
    if attrs.get("proj:epsg"):
        return f"EPSG:{attrs['proj:epsg']}"
    return attrs.get("proj:wkt2")
