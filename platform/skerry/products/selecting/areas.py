"""Areas of interest: boxes and geometries in any reference system."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from odc.geo.geom import Geometry, box

from skerry.core.errors import InvalidInputError
from skerry.products.outlines import make_valid

_BOX_NUMBERS = 4


def read_area(aoi: Any, crs: Any) -> Geometry:
    """Return an area of interest as a geometry with a coordinate reference system.

    Parameters
    ----------
    aoi
        West, south, east, north; or a shapely geometry, a GeoJSON geometry, or a geometry of
        odc-geo, which has its own reference system. With longitudes, a west beyond the east crosses
        the antimeridian.
    crs
        Anything pyproj understands.

    Raises
    ------
    InvalidInputError
        If it is not an area, has no reference system, is empty or not finite, or its edges are
        in the wrong order.
    """
    try:
        if isinstance(aoi, Geometry):
            area = aoi
        elif isinstance(aoi, Mapping) or hasattr(aoi, "__geo_interface__"):
            area = Geometry(dict(aoi if isinstance(aoi, Mapping) else aoi.__geo_interface__), crs)
        else:
            area = _read_box([float(item) for item in aoi], crs)
        empty = area.is_empty or not np.isfinite(area.boundingbox.bbox).all()
        area = Geometry(make_valid(area.geom), area.crs)
    except InvalidInputError:
        raise
    except Exception as error:  # noqa: BLE001 -- whatever pyproj, shapely and odc-geo raise for what is none
        why = str(error) or type(error).__name__
        raise InvalidInputError(
            f"The area of interest {aoi!r:.200} in {crs} cannot be read: {why}.",
            remedy="Give west, south, east, north or a geometry, and its EPSG code.",
        ) from None
    if empty:
        raise InvalidInputError(
            f"The area of interest {aoi!r:.200} is empty.", remedy="Give an area."
        )
    if area.crs is None:
        raise InvalidInputError(
            "The area of interest has no reference system.", remedy="Give its EPSG code."
        )
    return area


def _read_box(numbers: list[float], crs: Any) -> Geometry:
    if len(numbers) != _BOX_NUMBERS or not np.isfinite(numbers).all():
        raise InvalidInputError(
            f"The area of interest {numbers} is not a box of four finite numbers.",
            remedy="Give west, south, east, north.",
        )
    west, south, east, north = numbers
    area: Geometry = box(west, south, east, north, crs)
    around = area.crs is not None and area.crs.geographic and west > east
    if south >= north or (west >= east and not around):
        raise InvalidInputError(
            f"The area of interest {numbers} has its edges in the wrong order.",
            remedy="Give west, south, east, north.",
        )
    if around:
        both: Geometry = box(west, south, 180, north, crs) | box(-180, south, east, north, crs)
        return both
    return area
