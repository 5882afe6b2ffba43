"""Masks by flags: Sen2Cor's scene classification layer (SCL), and any product's flags by name.

Source: Sentinel-2 Products Specification Document, S2-PDGS-TAS-DI-PSD, table of the SCL classes.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Annotated, Final

import xarray as xr
from pydantic import Field

from skerry.core.errors import InvalidInputError
from skerry.processors.declarations import Output, ProductInput
from skerry.processors.flags import select_flags
from skerry.processors.registry import processor
from skerry.processors.selection import find_variable, has_variable, name_type


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
    numbers = [int(flag_class) for flag_class in classes]
    mask = scl.isin(numbers)
    mask.attrs = {"long_name": "mask of scene classes " + ", ".join(map(str, numbers))}
    return mask


def mask_water(scl: xr.DataArray) -> xr.DataArray:
    """Return True where Sen2Cor saw water (class 6), hence neither cloud nor shadow."""
    mask = mask_classes(scl, [SceneClass.WATER])
    mask.attrs["long_name"] = "water after the scene classification"
    return mask


def mask_clear(scl: xr.DataArray) -> xr.DataArray:
    """Return True where the surface is seen: no cloud, cirrus, shadow, snow, defect or gap."""
    mask = ~scl.isin([int(item) for item in sorted(OBSCURED)])
    mask.attrs = {"long_name": "surface seen after the scene classification"}
    return mask


FLAG_SOURCES: Final = {
    "S02MSIL1C": ("conditions/mask/l1c_classification/r60m",),
    "S02MSIL2A": (
        "conditions/mask/l2a_classification/r20m",
        "conditions/mask/l2a_classification/r60m",
    ),
    "S03OLCEFR": ("quality",),
    "S03OLCERR": ("quality",),
    "S03SLSRBT": ("quality/inadir",),
}
"""Product type to the groups that hold its flags, best first."""


@processor(
    name="flag-mask",
    version="1.0.0",
    inputs=[ProductInput("product", "Product with flags")],
    outputs=[Output("mask", "", "1 where the flag expression holds, 0 elsewhere")],
    citation="CF conventions 1.11, section 3.5; the products' specifications name their flags",
)
def mask_flags(
    product: xr.DataTree,
    *,
    flags: Annotated[
        str, Field(min_length=1, description="Flag names with |, &, ~ and parentheses")
    ],
    group: Annotated[
        str, Field(description="Group or path of the flags; empty: the group of the product type")
    ] = "",
) -> xr.DataArray:
    """Return where a flag expression holds, such as ``cloud_high | cloud_shadow``.

    Sentinel-2 L2A: the scene classification; L1C: the classification of 60 m. OLCI: the quality
    flags. SLSTR: confidence, cloud, Bayesian and probabilistic cloud flags of the nadir view at
    1 km, or of another grid by `group`. Other flags, such as Sentinel-2's ``quality/mask/r10m``
    (``b02.MSI_LOST``), by `group`.

    Raises
    ------
    InvalidInputError
        If there is no such group or flag; the message lists what there is.
    """
    kind = name_type(product)
    candidates = [group] if group else list(FLAG_SOURCES.get(kind, ()))
    for candidate in candidates:
        inner = candidate.strip("/")
        if f"/{inner}" in product.groups:
            mask = select_flags(product[inner].to_dataset(), flags)
            break
        if has_variable(product, inner):
            mask = select_flags(find_variable(product, inner), flags)
            break
    else:
        raise InvalidInputError(
            f"{product.name or 'The product'} ({kind or 'of no type'}) has no flags at "
            f"{', '.join(candidates) or 'a known place'}.",
            remedy="Name the group that holds them (group).",
        )
    numbers = mask.astype("uint8")
    numbers.attrs = mask.attrs | {"flag_values": [0, 1], "flag_meanings": "no yes"}
    return numbers
