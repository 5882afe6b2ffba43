"""Wounds of STAC items: bounding box, outline, time and code of the reference system."""

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.core.time import find_middle
from skerry.products.healing.systems import find_codes, name_system
from skerry.products.healing.wounds import Wounds
from skerry.products.sensors.mapping import product_type_of

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees; west of east, except across the antimeridian."""
_ABSENT: Final = ("", "null", "none", "nan", "nat")
_HALF_ROUND: Final = 180.0
_ROUND: Final = 360.0
_POLE: Final = 90.0
_FIT: Final = 0.05
"""How far a box may differ from its outline, as a share of its size: outlines are simplified."""
_RING: Final = 3
"""Least number of positions of a ring before it is closed."""


def state_type(attrs: dict[str, Any], name: str, product_type: str) -> None:
    """Write the type that the user says into the item of a product that names none, in place.

    Raises
    ------
    InvalidInputError
        If the product names another type.
    """
    own = product_type_of(attrs)
    if own not in ("", product_type):
        raise InvalidInputError(
            f"{name} is of type {own}, not {product_type}.", remedy="Leave the type out."
        )
    item = attrs.get("stac_discovery")
    item = dict(item) if isinstance(item, dict) else {}
    properties = item.get("properties")
    properties = dict(properties) if isinstance(properties, dict) else {}
    properties["product:type"] = product_type
    start = {"type": "Feature", "stac_version": "1.1.0", "id": name}
    attrs["stac_discovery"] = start | item | {"properties": properties}


def heal_items(
    tree: xr.DataTree, wounds: Wounds, find_grid_codes: Callable[[], set[str]] = set
) -> None:
    """Heal the items of a product and of its members, in place."""
    for node in tree.subtree:
        item = node.attrs.get("stac_discovery")
        if isinstance(item, dict):
            place = "" if node.path == tree.path else f"{node.path}: "
            node.attrs["stac_discovery"] = heal_item(item, wounds, place, find_grid_codes)


def heal_item(
    item: dict[str, Any],
    wounds: Wounds,
    place: str = "",
    find_grid_codes: Callable[[], set[str]] = set,
) -> dict[str, Any]:
    """Return a STAC item with box, outline, datetime and proj:code as the standard has them.

    Parameters
    ----------
    item
        The item of a product or of one of its members.
    wounds
        Gets the wounds, healed or not.
    place
        Beginning of reports: the member's path, or an empty text.
    find_grid_codes
        Returns the codes of the product's grid mappings; they decide between two codes.
    """
    healed = dict(item)
    if "geometry" in item:
        healed["geometry"] = _heal_geometry(item["geometry"], wounds, place)
    _heal_box(healed, wounds, place)
    if isinstance(item.get("properties"), dict):
        properties = dict(item["properties"])
        _heal_time(properties, wounds, place)
        _heal_code(properties, wounds, place, find_grid_codes)
        healed["properties"] = properties
    return healed


def _heal_geometry(geometry: Any, wounds: Wounds, place: str) -> Any:
    """Return an outline with closed rings; None if the geometry is not an outline."""
    if geometry is None:
        return None
    if not isinstance(geometry, dict):
        wounds.leave(
            "geometry", f"{place}{str(geometry)[:40]!r} is not an outline and was left out"
        )
        return None
    rings = geometry.get("coordinates")
    if geometry.get("type") not in ("Polygon", "MultiPolygon") or not isinstance(rings, list):
        return geometry
    closed = [
        [_close(ring) for ring in item]
        if geometry["type"] == "MultiPolygon" and isinstance(item, list)
        else _close(item)
        for item in rings
    ]
    if closed == rings:
        return geometry
    wounds.add("geometry", f"{place}a ring was closed")
    return geometry | {"coordinates": closed}


def _close(ring: Any) -> Any:
    positions = isinstance(ring, list) and all(isinstance(item, list) and item for item in ring)
    if positions and len(ring) >= _RING and ring[0] != ring[-1] and _is_number(ring[0][0]):
        return [*ring, ring[0]]
    return ring


def _heal_box(item: dict[str, Any], wounds: Wounds, place: str) -> None:
    """Put a bounding box in order, by the item's outline or, if clear, by its own numbers."""
    stated_box = item.get("bbox")
    outline = bound(item.get("geometry"))
    numbers = _read_box(stated_box)
    if numbers is None:
        if outline is not None:
            item["bbox"] = list(outline)
            wounds.add("bbox", f"{place}{_show(stated_box)} became {item['bbox']}, by the outline")
        elif stated_box is not None:
            del item["bbox"]
            wounds.leave("bbox", f"{place}{_show(stated_box)} is not a box and was left out")
        return
    half = len(numbers) // 2
    flat = (numbers[0], numbers[1], numbers[half], numbers[half + 1])
    box = _choose_box(flat, outline, item.get("geometry"))
    heights = sorted((numbers[2], numbers[5])) if half > 2 else []  # noqa: PLR2004 -- with heights
    edges = [*box[:2], *heights[:1], *box[2:], *heights[1:]]
    if edges != stated_box:
        item["bbox"] = edges
        wounds.add("bbox", f"{place}{_show(stated_box)} became {edges}")


def _read_box(value: Any) -> list[float] | None:
    """Return the four or six numbers of a box, integers unchanged; None for other values."""
    if not isinstance(value, list) or len(value) not in (4, 6):
        return None
    try:
        numbers = [item if _is_number(item) else float(item) for item in value]
    except (TypeError, ValueError):
        return None
    return numbers if all(math.isfinite(number) for number in numbers) else None


def _choose_box(box: Box, outline: Box | None, geometry: Any) -> Box:
    """Return the box unchanged, reversed, or with longitudes and latitudes exchanged."""
    swapped = (box[1], box[0], box[3], box[2])
    if outline is not None:
        for item in (box, turn(box), swapped, turn(swapped)):
            if _fits(item, outline):
                return item
    beyond = max(abs(box[1]), abs(box[3])) > _POLE
    if beyond and max(abs(swapped[1]), abs(swapped[3])) <= _POLE:
        box = swapped
    return turn(box) if is_reversed(list(box), geometry) else box


def turn(box: Box) -> Box:
    """Return a box with its smaller numbers first."""
    west, east = sorted((box[0], box[2]))
    south, north = sorted((box[1], box[3]))
    return west, south, east, north


def _fits(box: Box, outline: Box) -> bool:
    """Tell whether each side of a box is close to the same side of an outline's box."""
    if (box[0] <= box[2]) != (outline[0] <= outline[2]):
        return False
    width, height = (outline[2] - outline[0]) % _ROUND, outline[3] - outline[1]
    return all(
        abs(actual - expected) <= _FIT * size + 1e-6
        for actual, expected, size in zip(box, outline, (width, height) * 2, strict=True)
    )


def is_reversed(box: list[float], geometry: Any) -> bool:
    """Tell whether a bounding box is not west, south, east, north.

    A west beyond the east is right if the outline crosses the antimeridian, too.
    """
    west, south, east, north = box
    if south > north:
        return True
    if west <= east:
        return False
    places = list(_list_positions(geometry))
    longitudes = [place[0] for place in places]
    if not places or max(longitudes) > _HALF_ROUND or min(longitudes) < -_HALF_ROUND:
        return not places
    return max(longitudes) - min(longitudes) < _HALF_ROUND


def bound(geometry: Any) -> Box | None:
    """Return the box around an outline; None if it has no positions or spans 180 degrees."""
    places = list(_list_positions(geometry))
    if not places:
        return None
    longitudes, latitudes = zip(*places, strict=True)
    west, east = min(longitudes), max(longitudes)
    if east - west >= _HALF_ROUND:  # over the antimeridian, or around a pole
        eastern = [longitude % _ROUND for longitude in longitudes]
        west, east = min(eastern), max(eastern)
        if east - west >= _HALF_ROUND:
            return None
    if max(map(abs, latitudes)) > _POLE:
        return None
    return _wrap(west), min(latitudes), _wrap(east), max(latitudes)


def _wrap(longitude: float) -> float:
    if -_HALF_ROUND <= longitude <= _HALF_ROUND:
        return longitude
    return (longitude + _HALF_ROUND) % _ROUND - _HALF_ROUND


def _list_positions(geometry: Any) -> Iterator[tuple[float, float]]:
    waiting = [geometry.get("coordinates")] if isinstance(geometry, dict) else []
    while waiting:
        nested = waiting.pop()
        if not isinstance(nested, list) or not nested:
            continue
        if isinstance(nested[0], list):
            waiting.extend(nested)
        elif len(nested) > 1 and _is_number(nested[0]) and _is_number(nested[1]):
            yield nested[0], nested[1]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _show(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 120 else f"{text[:120]}..."  # noqa: PLR2004 -- of one line


def is_absent(moment: Any) -> bool:
    """Tell whether a time is None, or a text that means no time."""
    return moment is None or str(moment).strip().lower() in _ABSENT


def _heal_time(properties: dict[str, Any], wounds: Wounds, place: str) -> None:
    text = properties.get("datetime")
    if not is_absent(text):
        return
    start, end = (
        item if isinstance(item, str) and not is_absent(item) else None
        for item in (properties.get("start_datetime"), properties.get("end_datetime"))
    )
    if start is not None or end is not None:
        properties["datetime"] = _choose_moment(end if start is None else start, end)
        wounds.add("datetime", f"{place}{_show(text)} became {properties['datetime']}")
    elif text is not None:
        properties["datetime"] = None
        wounds.leave(
            "datetime", f"{place}{text!r} is not a time, and there is neither start nor end"
        )


def _choose_moment(start: Any, end: Any) -> Any:
    """Return the middle, as in real Sentinel-1 items; the start if the end is not a time."""
    if end in (None, start):
        return start
    try:
        return find_middle(str(start), str(end))
    except InvalidInputError:
        return start


def _heal_code(
    properties: dict[str, Any],
    wounds: Wounds,
    place: str,
    find_grid_codes: Callable[[], set[str]],
) -> None:
    """Keep a single code of the reference system, in ``proj:code``."""
    codes, wrong = find_codes(properties)
    old = properties.pop("proj:epsg", None)
    for item in wrong:
        wounds.leave("proj-code", f"{place}{item} is not a known reference system")
    if not codes:
        return
    code = codes[0]
    if len(codes) > 1:
        grids = find_grid_codes() & set(codes)
        words = f"{place}proj:code {codes[0]} and proj:epsg {old} differ"
        if len(grids) == 1:
            code = grids.pop()
            wounds.add("proj-code", f"{words}; the grids are in {code}")
        else:
            wounds.leave("proj-code", f"{words} and no grid mapping decides: {code} stays")
    elif properties.get("proj:code") != code:
        stated_code = properties.get("proj:code")
        before = f"proj:epsg {old}" if stated_code is None else f"proj:code {stated_code}"
        wounds.add("proj-code", f"{place}{before} became proj:code {code}")
    properties["proj:code"] = code


def name_item_system(item: Any) -> str | None:
    """Return the code or WKT of the reference system that an item names, None without it."""
    properties = item.get("properties") if isinstance(item, dict) else None
    if not isinstance(properties, dict):
        return None
    codes, _ = find_codes(properties)
    if codes:
        return codes[0] if len(codes) == 1 else None
    return name_system(properties.get("proj:wkt2"))
