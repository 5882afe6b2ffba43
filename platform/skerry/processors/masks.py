"""Masks from Sen2Cor's scene classification layer (SCL).

Source: Sentinel-2 Products Specification Document, S2-PDGS-TAS-DI-PSD, table of the SCL classes.
"""

from collections.abc import Iterable
from enum import IntEnum

import xarray as xr


class SceneClass(IntEnum):
    """The classes of the scene classification layer."""

    NO_DATA = 0
    SATURATED_OR_DEFECTIVE = 1
    DARK_AREA = 2
    CLOUD_SHADOW = 3
    VEGETATION = 4
    NOT_VEGETATED = 5
    WATER = 6
    UNCLASSIFIED = 7
    CLOUD_MEDIUM_PROBABILITY = 8
    CLOUD_HIGH_PROBABILITY = 9
    THIN_CIRRUS = 10
    SNOW_OR_ICE = 11


OBSCURED = frozenset(
    {
        SceneClass.NO_DATA,
        SceneClass.SATURATED_OR_DEFECTIVE,
        SceneClass.CLOUD_SHADOW,
        SceneClass.CLOUD_MEDIUM_PROBABILITY,
        SceneClass.CLOUD_HIGH_PROBABILITY,
        SceneClass.THIN_CIRRUS,
        SceneClass.SNOW_OR_ICE,
    }
)
"""Classes in which the surface is not seen."""


def mask_classes(scl: xr.DataArray, classes: Iterable[int]) -> xr.DataArray:
    """Return True where `scl` is one of `classes`.

    Parameters
    ----------
    scl
        Scene classification, any dimensions, integers 0 to 11.
    classes
        Class numbers, such as members of `SceneClass`.

    Returns
    -------
    xarray.DataArray
        Booleans of the same shape and chunks.
    """
    wanted = [int(one) for one in classes]
    mask = scl.isin(wanted)
    mask.attrs = {"long_name": "mask of scene classes " + ", ".join(map(str, wanted))}
    return mask


def mask_water(scl: xr.DataArray) -> xr.DataArray:
    """Return True where Sen2Cor saw water (class 6), hence neither cloud nor shadow."""
    mask = mask_classes(scl, [SceneClass.WATER])
    mask.attrs["long_name"] = "water after the scene classification"
    return mask


def mask_clear(scl: xr.DataArray) -> xr.DataArray:
    """Return True where the surface is seen: no cloud, cirrus, shadow, snow, defect or gap."""
    mask = ~scl.isin([int(one) for one in sorted(OBSCURED)])
    mask.attrs = {"long_name": "surface seen after the scene classification"}
    return mask
