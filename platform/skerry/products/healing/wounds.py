"""Wounds of real products: opening heals and reports them, in every format.

Each wound has a name, with which its reports begin; `skerry validate` finds the same wounds.
`skerry.products.healing.items` (STAC items) and `skerry.products.healing.rasters` (grid mappings
and coordinates) describe the wounds and heal them.
"""

from typing import Any, Final

import xarray as xr

WOUNDS: Final = {
    "bbox": "the bounding box is not west, south, east, north, or is not a box",
    "geometry": "a ring of the outline is not closed, or the outline is not a geometry",
    "datetime": "the item has no datetime, only start and end",
    "grid-mapping": "a raster has no grid mapping, or names a grid mapping that does not exist",
    "coordinates": "a raster has no coordinates, or their values are missing",
    "proj-code": "the reference system is in proj:epsg, or proj:code contradicts it",
    "attribute-names": "an attribute has the name of an older or newer profile",
    "attributes": "an attribute is not an object, although it must be",
    "axes": "axes are in other units than their system, or a group has several grids",
    "damaged": "a file is damaged, and its variables are left out",
    "types": "a variable is of a type that Skerry does not read",
}
_UNITS: Final = ("data_units", "unit")
_SHOWN: Final = 60


class Wounds:
    """The wounds that were healed and the wounds that stay; each is listed once.

    Attributes
    ----------
    healed
        Wound name to descriptions of the healed places.
    unhealed
        Wound name to descriptions of the places that could not be healed.
    """

    def __init__(self) -> None:
        self.healed: dict[str, list[str]] = {}
        self.unhealed: dict[str, list[str]] = {}

    def add(self, name: str, words: str) -> None:
        """Note a wound that was healed."""
        self.healed.setdefault(name, []).append(words)

    def leave(self, name: str, words: str) -> None:
        """Note a wound that cannot be healed."""
        self.unhealed.setdefault(name, []).append(words)

    def describe(self) -> list[str]:
        """Return a line for each healed wound: its name, first place, and number of places."""
        return _describe(self.healed)

    def report(self, other: dict[str, Any]) -> dict[str, Any]:
        """Return ``other_metadata`` with lists ``healed`` and ``unhealed``; earlier entries stay.

        A list is added only if it has entries.
        """
        document = dict(other)
        for key, wounds in (("healed", self.healed), ("unhealed", self.unhealed)):
            lines = _describe(wounds)
            if lines:
                earlier = other.get(key)
                records = earlier if isinstance(earlier, list) else []
                document[key] = [*(item for item in records if item not in lines), *lines]
        return document


def _describe(wounds: dict[str, list[str]]) -> list[str]:
    lines = []
    for name, places in wounds.items():
        more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
        lines.append(f"{name}: {places[0]}{more}")
    return lines


def heal_attributes(attrs: dict[str, Any], path: str, wounds: Wounds) -> dict[str, Any]:
    """Return a group's attributes without those that must be objects and are not.

    Parameters
    ----------
    attrs
        Attributes of the root, or of a group that is a member and has its own item.
    path
        The group's path, for the report.
    wounds
        Gets the attributes that were left out, with the beginning of their text.
    """
    healed = dict(attrs)
    above = path.rstrip("/")
    for name in ("stac_discovery", "other_metadata", "processing_history"):
        allowed = (dict, list) if name == "processing_history" else dict
        _check_object(healed, name, allowed, f"{above}/{name}", wounds)
    if isinstance(healed.get("stac_discovery"), dict):
        healed["stac_discovery"] = item = dict(healed["stac_discovery"])
        _check_object(item, "properties", dict, f"{above}/stac_discovery/properties", wounds)
    return healed


def _check_object(
    attrs: dict[str, Any], name: str, allowed: Any, place: str, wounds: Wounds
) -> None:
    value = attrs.get(name)
    if value is None or isinstance(value, allowed):
        return
    text = repr(attrs.pop(name))
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    wounds.leave("attributes", f"{place} is not an object and was left out: {text}")


def heal_units(data: xr.Dataset, path: str, wounds: Wounds) -> xr.Dataset:
    """Return a group whose variables have their units in the attribute of CF.

    Reading Zarr arrays already does this; the function is for variables of other formats.
    """
    for name, item in data.variables.items():
        old = next((key for key in _UNITS if item.attrs.get(key) is not None), None)
        if old is not None and "units" not in item.attrs and "units" not in item.encoding:
            attrs = {"units" if key == old else key: value for key, value in item.attrs.items()}
            data[name].attrs = {key: value for key, value in attrs.items() if key not in _UNITS}
            place = f"{path.rstrip('/')}/{name}"
            wounds.add("attribute-names", f"{place}: {old} is called units in CF")
    return data
