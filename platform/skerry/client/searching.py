"""`skerry.search`: items by collection, area, time and id."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime as Datetime  # noqa: N812 - the parameter is called datetime
from typing import TYPE_CHECKING, Any

from skerry.client.session import Session, connect
from skerry.core.errors import InvalidInputError
from skerry.core.settings import API_PREFIX
from skerry.core.time import format_time

if TYPE_CHECKING:
    import pystac

_PAGE = 100
_WORLD = (-180.0, -90.0, 180.0, 90.0)


def search(
    *,
    collections: Sequence[str] | str | None = None,
    bbox: Sequence[float] | None = None,
    intersects: Any = None,
    datetime: str | Datetime | Sequence[Datetime | str | None] | None = None,
    ids: Sequence[str] | str | None = None,
    limit: int | None = 100,
    session: Session | None = None,
) -> pystac.ItemCollection:
    """Find items in the catalogue, newest first.

    Parameters
    ----------
    collections
        Collection ids; all of them when None, none when the list is empty.
    bbox
        West, south, east, north in degrees (EPSG:4326).
    intersects
        A GeoJSON geometry, or anything with ``__geo_interface__`` (shapely, geopandas).
    datetime
        A time, an interval as in STAC (``"2026-05-01/2026-05-31"``), or a pair of times.
    ids
        Item ids; all items when None, none when the list is empty.
    limit
        At most so many items, at least 1; None for all.
    session
        The session to use; by default this process's own.

    Returns
    -------
    pystac.ItemCollection
        Possibly empty.

    Raises
    ------
    InvalidInputError
        If the area, the time or the limit is not valid.
    """
    import pystac

    if limit is not None and limit < 1:
        raise InvalidInputError(
            f"At most {limit} items is not a limit.", remedy="Give a number from 1, or none."
        )
    query = {
        "collections": _listed(collections),
        "bbox": check_bbox(bbox) if bbox is not None else None,
        "intersects": read_geometry(intersects) if intersects is not None else None,
        "datetime": _format_interval(datetime),
        "ids": _listed(ids),
        "limit": min(limit or _PAGE, _PAGE),
    }
    records = _read_pages(session or connect(), query, limit)
    items = [pystac.Item.from_dict(item) for item in records]
    return pystac.ItemCollection(items, clone_items=False)


def check_bbox(bbox: Sequence[float]) -> list[float]:
    """Return a bounding box as four floats in degrees, or refuse it.

    Raises
    ------
    InvalidInputError
        If it is not four finite numbers inside the world, or south is greater than north. West
        may be greater than east: such a box crosses the antimeridian.
    """
    try:
        west, south, east, north = (float(number) for number in bbox)
    except (TypeError, ValueError):
        west = south = east = north = float("nan")
    inside = (
        _WORLD[0] <= west <= _WORLD[2]
        and _WORLD[0] <= east <= _WORLD[2]
        and _WORLD[1] <= south <= north <= _WORLD[3]
    )
    if not inside:
        raise InvalidInputError(
            f"{bbox!r} is not a bounding box on this world.",
            remedy="Give west, south, east, north in degrees: longitudes -180 to 180, "
            "latitudes -90 to 90, south below north.",
        )
    return [west, south, east, north]


def read_geometry(geometry: Any) -> dict[str, Any]:
    """Return a GeoJSON geometry from a dict or from anything with ``__geo_interface__``."""
    from shapely import union_all
    from shapely.errors import ShapelyError
    from shapely.geometry import mapping, shape

    plain = getattr(geometry, "__geo_interface__", geometry)
    try:
        if plain.get("type") == "FeatureCollection":
            parts = [shape(feature["geometry"]) for feature in plain["features"]]
            return dict(mapping(union_all(parts)))
        if plain.get("type") == "Feature":
            plain = plain["geometry"]
        return dict(mapping(shape(plain)))
    except (AttributeError, KeyError, TypeError, ValueError, ShapelyError):
        raise InvalidInputError(
            f"A {type(geometry).__name__} is not a GeoJSON geometry.",
            remedy="Give a GeoJSON geometry, a shapely geometry or a GeoDataFrame in EPSG:4326.",
        ) from None


def _read_pages(session: Session, query: dict[str, Any], limit: int | None) -> list[dict[str, Any]]:
    """Follow the links to next pages until there are enough items.

    The search goes through our own session (not pystac_client's), so that refusals arrive as
    Skerry's errors and the token is sent to the platform's own address only.
    """
    path: str = "stac/search"
    body: dict[str, Any] | None = {key: value for key, value in query.items() if value is not None}
    items: list[dict[str, Any]] = []
    while True:
        method = "GET" if body is None else "POST"
        page = session.request(method, path, json=body)
        items += page["features"]
        following = next((link for link in page.get("links", []) if link["rel"] == "next"), None)
        if following is None or not page["features"] or (limit and len(items) >= limit):
            return items[:limit]
        path, body = _follow(session, following, body)


def _follow(
    session: Session, link: dict[str, Any], body: dict[str, Any] | None
) -> tuple[str, dict[str, Any] | None]:
    """Return path and body of the next page; a link to elsewhere is not followed."""
    from urllib.parse import urlsplit

    parts = urlsplit(link["href"])
    path = parts.path if not parts.query else f"{parts.path}?{parts.query}"
    if not parts.path.startswith(f"{API_PREFIX}/"):
        raise InvalidInputError(
            f"{session.url} names {link['href']} as its next page.",
            remedy="Correct the platform's public address; see 'skerry status'.",
        )
    if link.get("method", "GET") != "POST":
        return path, None
    following = link.get("body") or {}
    return path, ({**(body or {}), **following} if link.get("merge", True) else following)


def _listed(names: Sequence[str] | str | None) -> list[str] | None:
    if names is None:
        return None
    return [names] if isinstance(names, str) else list(names)


def _format_interval(
    moment: str | Datetime | Sequence[Datetime | str | None] | None,
) -> str | None:
    if moment is None or isinstance(moment, str):
        return moment
    if isinstance(moment, Datetime):
        return format_time(moment)
    ends = [
        end if isinstance(end, str) else ".." if end is None else format_time(end) for end in moment
    ]
    if len(ends) != 2:  # noqa: PLR2004
        raise InvalidInputError(
            f"{list(moment)!r} is not an interval.",
            remedy="Give two times; None means an open end.",
        )
    return "/".join(ends)
